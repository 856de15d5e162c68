import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Kind, OperationTypeNode, parse, type OperationDefinitionNode } from 'graphql'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { DOCUMENTS, snippetsOf, type Snippet } from '../support/snippets.ts'
import { startTestSite } from '../support/test-site.ts'
import { withApp } from '../support/with-app.ts'

// Each block of a shell or a program starts processes.
vi.setConfig({ testTimeout: 180_000 })

const ROOT = join(import.meta.dirname, '..', '..')
const { tabwire, start } = withApp(startTestSite)

/**
 * Shell and program blocks: output that proves success, or the reason why one is not run here. GraphQL always runs.
 */
const PROGRAMS: Record<string, { shows: RegExp } | { notRun: string }> = {
  'README.md sh 1': { notRun: 'clones and installs; test/setup.test.ts runs npm start in a fresh checkout' },
  'README.md sh 2': { shows: /"url":"[^"]+\/demo\/orders\/42","status":500/ },
  'README.md sh 3': { notRun: 'needs PostgreSQL, NATS and S3; test/e2e/many-machines.test.ts runs it with them' },
  'README.md ts 1': { shows: /^Demo shop$/m },
  'docs/connecting.md sh 1': { shows: /^http:\/\/127\.0\.0\.1:\d+$/m },
  'docs/connecting.md ts 1': { shows: /^Demo shop$/m },
  'docs/connecting.md ts 2': { shows: /^Demo shop$/m },
  'docs/connecting.md ts 3': { notRun: 'Stagehand is installed apart: test/e2e/connect-stagehand.test.ts connects it' },
  'docs/log.md sh 1': { shows: /"text":"order 42 failed: PAYMENT_FAILED"/ },
  'docs/log.md ts 1': { shows: /"__typename":"NetworkRequest".*orders\/42/ },
  'docs/operating.md sh 1': { notRun: 'needs Docker; test/container-files.test.ts checks the files' },
  'docs/operating.md sh 2': {
    notRun: 'needs Docker; test/e2e/load-balancer.test.ts runs haproxy before three servers',
  },
  'docs/operating.md sh 3': { notRun: 'needs Kubernetes; test/kubernetes-files.test.ts checks the files' },
  'docs/operating.md sh 4': { shows: /"ready":true/ },
  'docs/operating.md sh 5': { notRun: 'installs programs, as root' },
  'docs/security.md sh 1': { shows: /^tw_\S+$/m },
}

/** GraphQL that cannot succeed here, with the expected code. */
const REFUSED: Record<string, string> = { 'docs/tasks.md graphql 1': 'AI_NOT_CONFIGURED' }

/** Working directory of shell blocks: as if the server had been started there. */
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tw-docs-'))
  await symlink(tabwire().dataDir, join(folder, '.tabwire'))
  const command = `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, 'bin', 'tabwire.mjs')}' "$@"\n`
  await writeFile(join(folder, 'tabwire'), command, { mode: 0o755 })
})

afterAll(() => rm(folder, { recursive: true, force: true }))

const here = (text: string) =>
  text.replaceAll('http://127.0.0.1:4000', tabwire().url).replaceAll('--port 9222', '--port 0')

/** The operation with those of the variables that it declares. */
async function runGraphql(
  { name, text }: Snippet,
  variables: Record<string, unknown>,
): Promise<Record<string, unknown>> {
  const query = here(text)
  const [operation] = parse(query).definitions as OperationDefinitionNode[]
  expect(operation).toMatchObject({ kind: Kind.OPERATION_DEFINITION })
  const declared = operation!.variableDefinitions?.map(({ variable }) => variable.name.value) ?? []
  expect(declared.filter((variable) => !(variable in variables))).toEqual([])
  const given = Object.fromEntries(declared.map((variable) => [variable, variables[variable]]))
  if (operation!.operation === OperationTypeNode.SUBSCRIPTION) {
    for await (const { data, errors } of tabwire().client().iterate({ query, variables: given })) {
      expect(errors).toBeUndefined()
      return data!
    }
  }
  const { data, errors } = await tabwire().send<Record<string, unknown>>(query, given)
  expect(errors?.map(({ extensions }) => extensions.code)).toEqual(name in REFUSED ? [REFUSED[name]] : undefined)
  const steps = data?.['runActions'] as { success: boolean }[] | undefined
  expect(steps?.filter(({ success }) => !success) ?? []).toEqual([])
  return data ?? {}
}

/** Runs until the expected output, then ends as if by Ctrl-C. Null, or the actual output. */
async function runProgram(
  command: string,
  args: string[],
  env: Record<string, string>,
  shows: RegExp,
): Promise<string | null> {
  const PATH = [folder, dirname(process.execPath), process.env['PATH']].join(':')
  const child = spawn(command, args, { cwd: folder, detached: true, env: { ...process.env, ...env, PATH } })
  const closed = once(child, 'close')
  let output = ''
  let errors = ''
  const { promise: shown, resolve } = Promise.withResolvers<void>()
  child.stdout.on('data', (data: Buffer) => {
    output += data.toString()
    if (shows.test(output)) resolve()
  })
  child.stderr.on('data', (data: Buffer) => (errors += data.toString()))
  await Promise.race([shown, closed])
  if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, 'SIGINT')
  await closed
  return shows.test(output) ? null : output + errors
}

const PACKAGES: Record<string, string> = {
  "'tabwire/client'": pathToFileURL(join(ROOT, 'src', 'client', 'follow-log.ts')).href,
  "'playwright'": import.meta.resolve('playwright'),
  // The same, without a browser of its own.
  "'puppeteer'": import.meta.resolve('puppeteer-core'),
}

/** Null, or the error. */
async function runSnippet(snippet: Snippet, variables: Record<string, unknown>): Promise<string | null> {
  if (snippet.language === 'graphql') {
    const { saveProfile } = (await runGraphql(snippet, variables)) as { saveProfile?: { id: string } }
    if (saveProfile) variables['profile'] = saveProfile.id
    return null
  }
  const program = PROGRAMS[snippet.name]!
  if ('notRun' in program) return null
  const session = String(variables['session'])
  const { session: running } = await tabwire().query<{ session: { access: { cdpUrl: string } } }>(
    'query ($session: ID!) { session(id: $session) { access { cdpUrl } } }',
    { session },
  )
  const { apiKey } = tabwire()
  const env = { KEY: apiKey, SESSION: session, TABWIRE_KEY: apiKey, CDP_URL: running.access.cdpUrl }
  if (snippet.language === 'sh') {
    return runProgram('sh', ['-euc', here(snippet.text)], env, program.shows)
  }
  const file = join(folder, `${snippet.name.replaceAll(/\W+/g, '-')}.mts`)
  const imports = (text: string) =>
    text.replaceAll(/'[^'\n]+'/g, (name) => JSON.stringify(PACKAGES[name] ?? name.slice(1, -1)))
  const source = here(snippet.text).replaceAll(/^import .*$/gm, imports)
  await writeFile(file, source)
  return runProgram(process.execPath, [file, session], env, program.shows)
}

test.each(DOCUMENTS.filter((file) => snippetsOf(file).length > 0))('every block of %s works', async (file) => {
  const { id } = await start({ initialPrompt: `${tabwire().url}/demo/` }, 'LOADED')
  const variables = { session: id, cursor: null }
  for (const snippet of snippetsOf(file)) {
    const { name } = snippet
    expect({ name, problem: await runSnippet(snippet, variables) }).toEqual({ name, problem: null })
  }
  await tabwire().query('mutation { terminateSessions(filter: { status: [CREATING, RUNNING] }) }')
})

test('no block is left out, and none is named that does not exist', () => {
  const snippets = DOCUMENTS.flatMap(snippetsOf)
  const programs = snippets.filter(({ language }) => language !== 'graphql').map(({ name }) => name)
  expect(programs.sort()).toEqual(Object.keys(PROGRAMS).sort())
  expect(Object.keys(REFUSED).filter((name) => !snippets.some((snippet) => snippet.name === name))).toEqual([])
})
