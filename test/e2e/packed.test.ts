import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { printedSchema } from '../../src/schema/schema.ts'
import { commandEnvironment, startProgram } from '../support/command.ts'

// Packing builds, and each command starts a process.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

const ROOT = join(import.meta.dirname, '..', '..')

let place: string
let packed: string[]

/**
 * Installs the packed tarball elsewhere, as `npm install <tarball>` lays it out: the package, the packages that it
 * depends on and no others, and the command. Without asking the registry, so that the tests need no network.
 */
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), 'tw-packed-'))
  const answer = execFileSync('npm', ['pack', '--json', '--loglevel=error', '--pack-destination', place], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  // Output of the build comes first.
  const [{ filename, files }] = JSON.parse(answer.slice(answer.search(/^\[/m))) as [
    { filename: string; files: { path: string }[] },
  ]
  packed = files.map(({ path }) => path)

  const modules = join(place, 'node_modules')
  mkdirSync(join(modules, 'tabwire'), { recursive: true })
  execFileSync('tar', ['-xzf', join(place, filename), '--strip-components=1', '-C', join(modules, 'tabwire')])
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; optional?: boolean }>
  }
  for (const [path, { dev }] of Object.entries(packages)) {
    if (!/^node_modules\/(@[^/]+\/)?[^/]+$/.test(path) || dev) continue
    mkdirSync(dirname(join(place, path)), { recursive: true })
    symlinkSync(join(ROOT, path), join(place, path))
  }
  mkdirSync(join(modules, '.bin'))
  symlinkSync('../tabwire/bin/tabwire.mjs', join(modules, '.bin', 'tabwire'))
})

afterAll(() => {
  rmSync(place, { recursive: true, force: true })
})

const start = (args: readonly string[], env: Record<string, string> = {}) =>
  startProgram(
    join(place, 'node_modules', '.bin', 'tabwire'),
    args,
    commandEnvironment(join(place, 'data'), env),
    place,
  )

describe('the package', () => {
  test('holds what it runs on and what people read, and nothing else', () => {
    const folders = new Set(packed.map((path) => (path.includes('/') ? `${path.split('/')[0]}/` : path)))
    expect([...folders].sort()).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'SECURITY.md',
      'bin/',
      'dist-client/',
      'dist-dashboard/',
      'dist/',
      'docs/',
      'drizzle/',
      'examples/',
      'package.json',
      'schema.graphql',
      'scripts/',
    ])
    expect(packed).toEqual(expect.arrayContaining(['dist/main.js', 'dist/main.js.map', 'dist/THIRD-PARTY-LICENSES.md']))
    const types = packed.filter((path) => path.endsWith('.ts'))
    expect(types).toContain('dist-client/follow-log.d.ts')
    expect(types.filter((path) => !/^dist-client\/.*\.d\.ts$/.test(path))).toEqual([])
  })

  test('has a client for programs of others, with its types', () => {
    const program = join(place, 'follow.mts')
    writeFileSync(
      program,
      `import { createClient } from 'graphql-ws'
      import { followLog, FollowLogError } from 'tabwire/client'
      const client = createClient({ url: 'ws://127.0.0.1:1', retryAttempts: 0 })
      const document = 'subscription ($after: String) { consoleMessages(sessionId: "", after: $after) { cursor } }'
      try {
        for await (const { cursor } of followLog(client, document, {}, { maxRetries: 0 })) cursor satisfies string
      } catch (error) {
        const code: string | null = error instanceof FollowLogError ? error.code : 'another error'
        console.log(code)
      }`,
    )
    const compiler = [join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), '--noEmit', '--strict', program]
    const types = [
      '--target',
      'es2024',
      '--module',
      'nodenext',
      '--types',
      'node',
      '--typeRoots',
      join(ROOT, 'node_modules', '@types'),
    ]
    execFileSync(process.execPath, [...compiler, ...types], { cwd: place, stdio: ['ignore', 'inherit', 'inherit'] })
    expect(execFileSync(process.execPath, [program], { cwd: place, encoding: 'utf8' })).toBe('null\n')
  })

  test('prints help and the schema', async () => {
    const help = await start(['--help']).finished
    expect(help).toMatchObject({ code: 0, stderr: '' })
    expect(help.stdout).toMatch(/^Usage: tabwire <command>/)
    expect(await start(['print-schema']).finished).toMatchObject({ code: 0, stdout: printedSchema() })
  })

  test('names lines of the sources in the stack of a fault', async () => {
    const broken = `
      const { stdout } = process
      const write = stdout.write
      stdout.write = (text, ...more) => {
        if (text !== '') throw new Error('broken for this test')
        return write.call(stdout, text, ...more)
      }`
    const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(broken)}`
    const { code, stderr } = await start(['print-schema'], { NODE_OPTIONS }).finished
    expect(code).toBe(1)
    const [, line] = /^ +at .*\bsrc\/commands\/print-schema\.ts:(\d+):\d+\)?$/m.exec(stderr) ?? []
    const source = readFileSync(join(ROOT, 'src', 'commands', 'print-schema.ts'), 'utf8')
    expect(source.split('\n')[Number(line) - 1]).toContain('process.stdout.write(')
  })

  test('migrates, makes keys and serves, both pages too', async () => {
    expect(await start(['migrate']).finished).toMatchObject({ code: 0, stdout: 'The database is up to date.\n' })
    const made = await start(['keys', 'create', '--name', 'Packed', '--scope', 'READ', '--scope', 'WRITE']).finished
    expect(made.code).toBe(0)

    const server = start(['serve'], { TABWIRE_EGRESS: 'public' })
    try {
      const [, url = ''] = await server.printed(/^Tabwire listens on (\S+)$/m)
      const [, link = ''] = await server.printed(/^ {2}GraphiQL: (\S+)$/m)
      const [, demo, rule] = await server.printed(/^ {2}Demo page: (\S+) \(.*TABWIRE_EGRESS_ALLOW=(\S+)\)$/m)
      expect([demo, `http://${rule}`]).toEqual([`${url}/demo/`, url])
      const ask = async (query: string) => {
        const response = await fetch(`${url}/graphql`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'x-api-key': made.stdout.trim() },
          body: JSON.stringify({ query }),
        })
        return ((await response.json()) as { data: Record<string, { id: string; status: string }> }).data
      }
      const { startSession } = await ask('mutation { startSession { id } }')
      const status = async () => (await ask(`{ session(id: "${startSession!.id}") { status } }`))['session']!.status
      // None is kept ready, and a busy machine takes its time over one.
      await expect.poll(status, { timeout: 120_000 }).toBe('RUNNING')
      for (const page of [await fetch(link), await fetch(`${url}/`, { redirect: 'error' })]) {
        expect(page.status).toBe(200)
        expect(page.headers.get('content-type')).toContain('text/html')
      }
    } finally {
      server.child.kill('SIGTERM')
    }
    expect(await server.finished).toMatchObject({ code: 0, signal: null })
  })
})
