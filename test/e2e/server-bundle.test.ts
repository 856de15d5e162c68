import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { commandEnvironment, startProgram, type RunningCommand } from '../support/command.ts'
import { startPagesSite } from '../support/pages-site.ts'
import { startS3 } from '../support/s3-server.ts'

// Each builds, and starts processes.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

/** None is kept ready, and a busy machine takes its time over one. */
const A_BROWSER = { timeout: 120_000 }

const ROOT = join(import.meta.dirname, '..', '..')

/**
 * A separate checkout whose sources the tests change; without dashboard sources, so that it has only the built pages.
 */
let checkout: string
let dataDir: string
let built: {
  buildServer(root: string, say: (line: string) => void): Promise<void>
  ensureServer(root: string, say: (line: string) => void): Promise<void>
}

beforeAll(async () => {
  checkout = mkdtempSync(join(tmpdir(), 'tw-bundle-'))
  dataDir = join(checkout, '.tabwire')
  const copied = ['src', 'scripts', 'examples', 'drizzle', 'dist-dashboard']
  for (const name of [...copied, 'package.json', 'package-lock.json', 'tsconfig.json', 'vite.server.config.ts']) {
    cpSync(join(ROOT, name), join(checkout, name), { recursive: true, preserveTimestamps: true })
  }
  symlinkSync(join(ROOT, 'node_modules'), join(checkout, 'node_modules'))
  built = (await import(join(checkout, 'scripts', 'server-bundle.mjs'))) as typeof built
  await built.buildServer(checkout, () => {})
})

afterAll(() => {
  rmSync(checkout, { recursive: true, force: true })
})

async function ensure(): Promise<string[]> {
  const said: string[] = []
  await built.ensureServer(checkout, (line) => said.push(line))
  // Of its progress, where it takes longer than 5 s, nothing follows.
  return said.filter((line) => !line.startsWith('still '))
}

/** `npm start` without npm. */
const start = (env: Record<string, string> = {}) =>
  startProgram(
    process.execPath,
    [join(checkout, 'scripts', 'run.mjs'), 'start'],
    commandEnvironment(dataDir, env),
    checkout,
  )

const help = () =>
  startProgram(process.execPath, [join(checkout, 'dist', 'main.js'), '--help'], commandEnvironment(dataDir)).finished

describe('the bundle is built', () => {
  const file = (name: string) => join(checkout, 'src', name)
  const BUILT_AGAIN = ['bundling the server']

  test('again when a source is newer, was added or was removed, and only then', async () => {
    expect(await ensure()).toEqual([])
    const usage = readFileSync(file('commands/migrate.ts'), 'utf8')
    writeFileSync(file('commands/migrate.ts'), usage.replace('bring the database up to date', 'renew the database'))
    expect(await ensure()).toEqual(BUILT_AGAIN)
    expect((await help()).stdout).toContain('renew the database')
    expect(await ensure()).toEqual([])

    // As left by an editor that writes a new file and renames it, or by a checkout of an older commit.
    writeFileSync(file('added.ts'), '')
    utimesSync(file('added.ts'), new Date(0), new Date(0))
    expect(await ensure()).toEqual(BUILT_AGAIN)
    rmSync(file('added.ts'))
    expect(await ensure()).toEqual(BUILT_AGAIN)
    expect(await ensure()).toEqual([])
  })

  test('whole or not at all: what stands there works until there is another', async () => {
    const text = readFileSync(file('main.ts'), 'utf8')
    writeFileSync(file('main.ts'), `${text}\nimport './nowhere.ts'\n`)
    await expect(ensure()).rejects.toThrow(/^The server could not be bundled:[^]*nowhere/)
    expect((await help()).code).toBe(0)
    writeFileSync(file('main.ts'), text)
    expect(await ensure()).toEqual(BUILT_AGAIN)
  })

  test('for a checkout alone: a package has no sources', async () => {
    const empty = mkdtempSync(join(tmpdir(), 'tw-bundle-'))
    try {
      await built.ensureServer(empty, () => expect.fail('there is nothing to build from'))
      expect(existsSync(join(empty, 'dist'))).toBe(false)
    } finally {
      rmSync(empty, { recursive: true, force: true })
    }
  })
})

describe('npm start', () => {
  async function ask(url: string, query: string, variables: object = {}) {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': 'the-admin-key-of-this-test' },
      body: JSON.stringify({ query, variables }),
    })
    return (await response.json()) as { data: Record<string, unknown>; errors?: { message: string }[] }
  }

  async function using(env: Record<string, string>, work: (url: string, server: RunningCommand) => Promise<void>) {
    const server = start({ TABWIRE_API_KEY: 'the-admin-key-of-this-test', ...env })
    try {
      const [, url = ''] = await server.printed(/^Tabwire listens on (\S+)$/m)
      await work(url, server)
    } finally {
      server.child.kill('SIGTERM')
      await server.finished
    }
    // This process itself serves: the signal reached it.
    expect(await server.finished).toMatchObject({ code: 0, signal: null })
  }

  test('serves the bundle: both pages, migrated tables, every thread and what is loaded on first use', async () => {
    const site = await startPagesSite({ '/': '<title>Bundled</title>' })
    const s3 = await startS3()
    const { endpoint, bucket, region, credentials } = s3.config
    const env = {
      TABWIRE_EGRESS: 'public',
      TABWIRE_EGRESS_ALLOW: '127.0.0.1',
      TABWIRE_S3_BUCKET: bucket,
      TABWIRE_S3_ENDPOINT: endpoint!,
      TABWIRE_S3_REGION: region,
      TABWIRE_S3_ACCESS_KEY_ID: credentials!.accessKeyId,
      TABWIRE_S3_SECRET_ACCESS_KEY: credentials!.secretAccessKey,
      TABWIRE_S3_FORCE_PATH_STYLE: 'true',
      TABWIRE_AI_PROVIDER: 'openai-compatible',
      TABWIRE_AI_MODEL: 'scripted',
      TABWIRE_AI_API_KEY: 'none',
      TABWIRE_AI_BASE_URL: site.url,
    }
    try {
      await using(env, async (url) => {
        for (const path of ['/', '/graphiql']) {
          const page = await fetch(`${url}${path}`)
          expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
        }
        const started = await ask(
          url,
          'mutation ($input: StartSessionInput!) { startSession(input: $input) { id } }',
          // Through its proxy, in a thread, the browser reaches allowed hosts.
          { input: { initialPrompt: site.url } },
        )
        const { id } = started.data['startSession'] as { id: string }
        const title = async () =>
          (await ask(url, 'query ($id: ID!) { session(id: $id) { title } }', { id })).data['session']
        await expect.poll(title, A_BROWSER).toEqual({ title: 'Bundled' })
        // Read in another thread, and refused.
        const task = await ask(
          url,
          'mutation ($id: ID!, $input: TaskInput!) { startTask(sessionId: $id, input: $input) { id } }',
          { id, input: { prompt: 'x', outputSchema: { $ref: 'https://example.com/x' } } },
        )
        expect(task.errors?.[0]).toMatchObject({ extensions: { issues: [{ path: ['input', 'outputSchema'] }] } })
        const shot = await ask(
          url,
          `mutation ($id: ID!) {
            runActions(sessionId: $id, actions: [{ screenshot: {} }]) { error { message } artifact { url } }
          }`,
          { id },
        )
        const [{ artifact }] = shot.data['runActions'] as [{ artifact: { url: string } }]
        const image = await fetch(artifact.url)
        expect([image.status, image.headers.get('content-type')]).toEqual([200, 'image/png'])
      })
    } finally {
      await s3.close()
      await site.close()
    }
  })
})
