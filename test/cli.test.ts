import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { readLockHolder } from '../src/data-directory-lock.ts'
import { printedSchema } from '../src/schema/schema.ts'
import { commandEnvironment, runTabwire, startProgram, startTabwire, type RunningCommand } from './support/command.ts'
import { seedEmbeddedDatabase } from './support/embedded-template.ts'
import { openSilentPort } from './support/silent-port.ts'

// Each of these starts whole processes, one after another, and the machine may be busy with other tests.
vi.setConfig({ testTimeout: 120_000 })

let dataDir: string
const started = new Set<RunningCommand>()

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'tw-cli-'))
})

afterEach(async () => {
  for (const { child, finished } of started) {
    child.kill('SIGKILL')
    await finished
  }
  started.clear()
  rmSync(dataDir, { recursive: true, force: true })
})

const run = (args: readonly string[], env: Record<string, string> = {}) =>
  runTabwire(args, commandEnvironment(dataDir, env))

/** A server, once it listens. Its database is made beforehand: `migrate` and `npm start` make theirs themselves below. */
async function serve(env: Record<string, string> = {}) {
  if (!existsSync(join(dataDir, 'database'))) await seedEmbeddedDatabase(dataDir)
  const command = startTabwire(['serve'], commandEnvironment(dataDir, env))
  started.add(command)
  const [, url = ''] = await command.printed(/^Tabwire listens on (\S+)$/m)
  await command.printed(/^ {2}Browser: /m)
  return { ...command, url }
}

interface Started {
  id: string
  access: { cdpUrl: string }
}

function connectTo(args: readonly string[], env: Record<string, string> = {}): RunningCommand {
  const command = startTabwire(['connect', ...args], commandEnvironment(dataDir, env))
  started.add(command)
  return command
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function ask(url: string, key: string, query: string): Promise<{ data?: unknown; errors?: unknown }> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': key },
    body: JSON.stringify({ query }),
  })
  return (await response.json()) as { data?: unknown; errors?: unknown }
}

const COMMANDS = [
  'serve',
  'drain',
  'migrate',
  'print-schema',
  'keys create',
  'keys list',
  'keys revoke',
  'signing-keys rotate',
  'connect',
]

describe('tabwire', () => {
  test('--help lists the commands', async () => {
    const { code, stdout } = await run(['--help'])
    expect(code).toBe(0)
    for (const name of COMMANDS) {
      expect(stdout).toContain(`\n  ${name}`)
    }
  })

  test.each(COMMANDS)('%s --help describes it and does nothing', async (name) => {
    const { code, stdout, stderr } = await run([...name.split(' '), '--help'])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(new RegExp(`^Usage: tabwire ${name}\\b`))
  })

  test.each([
    [['serv'], 'there is no command "serv"'],
    [['drain', '--seconds', '86401'], '--seconds must be a whole number from 0 to 86400'],
    [['keys', 'make'], 'there is no command "keys make"'],
    [['serve', 'now'], 'unexpected argument "now"'],
    [['serve', '--port', '1'], "Unknown option '--port'"],
    [['keys', 'create', '--scope', 'READ'], '--name is missing'],
    [['keys', 'create', '--name', 'x'], '--scope is missing'],
    [['keys', 'create', '--name', 'x', '--scope', 'ALL'], '--scope ALL is none of READ, WRITE, CONNECT, KEYS, ADMIN'],
    [
      ['keys', 'create', '--name', 'x', '--scope', 'READ', '--expires-in-days', '0'],
      '--expires-in-days must be a whole number from 1 to 3650',
    ],
    [['keys', 'revoke'], '<id> is missing'],
    [['connect'], '<session> is missing'],
    [['connect', 'x', '--port', '65536'], '--port must be a number from 0 to 65535'],
    [['connect', 'x', '--url', 'ftp://x'], '--url must begin with http:// or https://'],
    [['connect', 'ws://x/'], 'the URL is no cdpUrl of a session'],
  ])('refuses %j in one line', async (args, message) => {
    expect(await run(args)).toMatchObject({
      code: 2,
      stdout: '',
      stderr: `tabwire: ${message} (see tabwire --help)\n`,
    })
  })

  test.each(['serve', 'migrate', 'keys list'])('%s reports every problem of the environment', async (name) => {
    const outcome = await run(name.split(' '), { PORT: 'x', TABWIRE_LOG_LEVEL: 'loud' })
    expect(outcome).toMatchObject({
      code: 1,
      stdout: '',
      stderr:
        'PORT must be a whole number from 0 to 65535 (it is "x")\n' +
        'TABWIRE_LOG_LEVEL must be fatal, error, warn, info, debug, trace or silent (it is "loud")\n',
    })
  })

  test('print-schema prints the schema', async () => {
    expect(await run(['print-schema'])).toMatchObject({ code: 0, stdout: printedSchema(), stderr: '' })
  })
})

describe('signing keys', () => {
  const kept = () => readFileSync(join(dataDir, 'signing-keys'), 'utf8').trim().split('\n')

  test('are put before those that are there, or in their place', async () => {
    expect(await run(['signing-keys', 'rotate'])).toMatchObject({
      code: 0,
      stdout: 'Created a new signing key. No older key is left.\n',
      stderr: '',
    })
    const [first] = kept()
    expect(first).toMatch(/^[\w-]{43}$/)
    expect(statSync(join(dataDir, 'signing-keys')).mode & 0o777).toBe(0o600)
    expect((await run(['signing-keys', 'rotate'])).stdout).toContain('Links of the 1 before it work')
    expect(kept()).toEqual([expect.not.stringMatching(first!) as string, first])
    expect((await run(['signing-keys', 'rotate', '--drop-old'])).code).toBe(0)
    expect(kept()).toHaveLength(1)
    expect(kept()).not.toContain(first)
  })

  test('that the environment gives are rotated there', async () => {
    const env = { TABWIRE_SIGNING_KEYS: 'a-secret-of-more-than-32-characters' }
    expect(await run(['signing-keys', 'rotate'], env)).toMatchObject({
      code: 1,
      stderr: 'The keys are those in TABWIRE_SIGNING_KEYS: put the new one before them there.\n',
    })
  })
})

describe('keys', () => {
  test('are made, listed and revoked in the embedded database', async () => {
    expect(await run(['migrate'])).toMatchObject({ code: 0, stdout: 'The database is up to date.\n' })
    const words = ['--name', 'CI', '--owner', 'ci@example.org', '--scope', 'read', '--scope', 'WRITE']
    const startedAt = Date.now()
    const made = await run(['keys', 'create', ...words, '--expires-in-days', '7'])
    const madeBy = Date.now()
    expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^tw_[\w-]{43}\n$/) as string })
    const [, id = ''] = /^Created the key (\S+) of ci@example\.org: READ, WRITE\.$/m.exec(made.stderr)!

    const listed = await run(['keys', 'list', '--json'])
    const key = JSON.parse(listed.stdout) as Record<string, unknown>
    expect(key).toMatchObject({ id, name: 'CI', owner: 'ci@example.org', scopes: ['READ', 'WRITE'], revokedAt: null })
    // Counted from the time of the command: the database may take a while to open.
    const askedAt = Date.parse(String(key['expiresAt'])) - 7 * 86_400_000
    expect(askedAt).toBeGreaterThanOrEqual(startedAt)
    expect(askedAt).toBeLessThanOrEqual(Date.parse(String(key['createdAt'])))
    expect(Date.parse(String(key['createdAt']))).toBeLessThanOrEqual(madeBy)

    expect(await run(['keys', 'revoke', id])).toMatchObject({
      code: 0,
      stdout: `Revoked the key ${id} (CI) of ci@example.org.\n`,
    })
    expect((await run(['keys', 'list'])).stdout).toMatch(
      new RegExp(`^ID .* REVOKED\n${id} +CI +ci@example.org .* \\d\\d:\\d\\d\n$`),
    )
    expect(await run(['keys', 'revoke', 'bm8='])).toMatchObject({ code: 1, stderr: 'API key not found.\n' })
    expect(await run(['keys', 'create', '--name', '', '--scope', 'READ'])).toMatchObject({ code: 2 })
    expect(await run(['keys', 'create', '--name', 'x', '--scope', 'READ', '--owner', 'a b'])).toMatchObject({ code: 1 })
  })

  test('are reached through the server that has the data directory open', async () => {
    const server = await serve()
    for (const words of [['migrate'], ['serve']]) {
      expect(await run(words)).toMatchObject({
        code: 1,
        stdout: '',
        stderr:
          `The data directory ${dataDir} is in use by process ${server.child.pid}, which serves ${server.url}: ` +
          'stop that, or set TABWIRE_DATA_DIR to another directory.\n',
      })
    }
    const made = await run(['keys', 'create', '--name', 'Live', '--owner', 'bob', '--scope', 'READ'])
    expect(made.code).toBe(0)
    const secret = made.stdout.trim()
    expect(await ask(server.url, secret, '{ viewer { owner scopes } }')).toEqual({
      data: { viewer: { owner: 'bob', scopes: ['READ'] } },
    })

    const keys = (await run(['keys', 'list', '--json'])).stdout.trim().split('\n')
    const owners = keys.map((line) => (JSON.parse(line) as { owner: string }).owner)
    expect(owners).toEqual(['admin', 'bob'])
    const { id } = JSON.parse(keys[1]!) as { id: string }
    expect(await run(['keys', 'revoke', id])).toMatchObject({
      code: 0,
      stdout: `Revoked the key ${id} (Live) of bob.\n`,
    })
    expect(await ask(server.url, secret, '{ viewer { owner } }')).toMatchObject({
      errors: [{ extensions: { code: 'UNAUTHENTICATED' } }],
    })
    expect(await run(['keys', 'revoke', 'bm8='])).toMatchObject({ code: 1, stderr: 'API key not found.\n' })
    expect(await run(['keys', 'list'], { TABWIRE_API_KEY: 'not-the-admin-key' })).toMatchObject({
      code: 1,
      stderr:
        'The running server refuses the admin key: set TABWIRE_API_KEY to the one that the server was started with.\n',
    })
  })
})

describe('connect', () => {
  test('opens a session of the server on the data directory under a local port, and ends with it', async () => {
    const noServer = await run(['connect', 'x'])
    expect(noServer).toMatchObject({ code: 1, stderr: expect.stringContaining('No server runs on') as string })
    const { url } = await serve()
    const key = readFileSync(join(dataDir, 'api-key'), 'utf8').trim()
    expect(await run(['connect', 'x', '--port', '0'])).toMatchObject({ code: 1, stderr: 'Session not found.\n' })
    const starting = `mutation { startSession(waitUntil: RUNNING) { id access { cdpUrl } } }`
    const { data } = (await ask(url, key, starting)) as { data: { startSession: Started } }
    const { id, access } = data.startSession
    // The admin key is for this server alone.
    const elsewhere = await run(['connect', id, '--url', 'http://127.0.0.1:9'])
    expect(elsewhere).toMatchObject({
      code: 1,
      stderr: 'Set TABWIRE_API_KEY to a key of the server at http://127.0.0.1:9.\n',
    })
    const bridges = [
      connectTo([id, '--port', '0']),
      connectTo([id, '--port', '0', '--url', url], { TABWIRE_API_KEY: key }),
      connectTo([access.cdpUrl, '--port', '0']),
    ]
    for (const { printed } of bridges) {
      const [address] = await printed(/^http:\/\/127\.0\.0\.1:\d+$/m)
      const version = (await (await fetch(`${address}/json/version`)).json()) as Record<string, string>
      expect(version['webSocketDebuggerUrl']).toContain(address.replace('http', 'ws'))
    }
    const [first, ...others] = bridges
    const [address] = await first!.printed(/^http.*$/m)
    expect(await run(['connect', id, '--port', new URL(address).port])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('cannot be opened: it is in use') as string,
    })
    first!.child.kill('SIGINT')
    expect(await first!.finished).toMatchObject({ code: 0, stderr: '' })
    await ask(url, key, `mutation { terminateSession(id: "${id}") { status } }`)
    for (const { finished } of others) {
      expect(await finished).toMatchObject({ code: 0, stderr: 'Ended: the session has ended: TERMINATED.\n' })
    }
  })
})

describe('serve', () => {
  test('ends its sessions in order on SIGTERM, and exits with 0', async () => {
    const server = await serve()
    const key = readFileSync(join(dataDir, 'api-key'), 'utf8').trim()
    const { data } = await ask(server.url, key, 'mutation { startSession(waitUntil: RUNNING) { id status } }')
    expect(data).toMatchObject({ startSession: { status: 'RUNNING' } })
    server.child.kill('SIGTERM')
    // Another code would mean that it had waited for them in vain.
    expect(await server.finished).toMatchObject({ code: 0, signal: null })

    const again = await serve()
    const { id } = (data as { startSession: { id: string } }).startSession
    expect(await ask(again.url, key, `{ session(id: "${id}") { status endReason } }`)).toEqual({
      data: { session: { status: 'CLOSED', endReason: 'SERVER_SHUTDOWN' } },
    })
  })

  test('by npm start ends in order when npm alone is told to, as a supervisor does, and npm waits for it', async () => {
    const command = startProgram('npm', ['start'], commandEnvironment(dataDir))
    started.add(command)
    // Before any slow step.
    const said = command.printed(/^set-up: everything is there: starting the server$/m)
    // It is said elsewhere than this: what is there of both is read in the same turn.
    const listens = command.printed(/^Tabwire listens/m).then(() => turn())
    await Promise.race([said, listens.then(() => expect.fail('it says nothing before'))])
    await command.printed(/^ {2}Browser: /m)
    const { pid } = (await readLockHolder(dataDir))!
    try {
      command.child.kill('SIGTERM')
      const [code] = (await once(command.child, 'exit')) as [number | null]
      expect(code).toBe(0)
      expect(isAlive(pid)).toBe(false)
    } finally {
      if (isAlive(pid)) process.kill(pid, 'SIGKILL')
    }
  })

  test('prints where everything is, and no secret outside a terminal; Ctrl-C counts once though it comes twice', async () => {
    const server = await serve()
    // npm and the terminal each deliver it: the duplicate must not interrupt the graceful shutdown.
    server.child.kill('SIGINT')
    server.child.kill('SIGINT')
    const { stdout, code, signal } = await server.finished
    expect([code, signal]).toEqual([0, null])
    const key = readFileSync(join(dataDir, 'api-key'), 'utf8').trim()
    expect(statSync(join(dataDir, 'api-key')).mode & 0o777).toBe(0o600)
    expect(stdout.split('\n').map((line) => line.trim().split(/: | on /)[0])).toEqual([
      'Tabwire listens',
      'Dashboard',
      'GraphiQL',
      'Demo page',
      'API key',
      'Data',
      'Database',
      'Artifacts',
      'Browser',
      '',
    ])
    expect(stdout).toMatch(/^ {2}Demo page: http:\/\/127\.0\.0\.1:\d+\/demo\/$/m)
    expect(stdout).toContain(`  API key: in ${join(dataDir, 'api-key')}\n`)
    expect(stdout).toContain(`  Data: ${dataDir}\n`)
    expect(stdout).not.toContain('code=')
    expect(stdout).not.toContain(key)
  })

  /** A failing start; on a busy machine it may take long enough to report progress as well. */
  const refused = async (env: Record<string, string>) => {
    const outcome = await run(['serve'], env)
    return { ...outcome, stderr: outcome.stderr.replaceAll(/^Still .* \(\d+ s\)\n/gm, '') }
  }

  test('refuses a port that is taken, in one line, and leaves nothing locked', async () => {
    const squatter = createServer().listen(0, '127.0.0.1')
    await once(squatter, 'listening')
    const { port } = squatter.address() as { port: number }
    expect(await refused({ PORT: String(port) })).toMatchObject({
      code: 1,
      stdout: '',
      stderr: `Port ${port} on 127.0.0.1 is taken: set PORT to another one.\n`,
    })
    squatter.close()
    expect(await readLockHolder(dataDir)).toBeNull()
  })

  test('refuses a database that cannot be reached, in one line without its password', async () => {
    const outcome = await refused({ DATABASE_URL: 'postgres://me:hunter2@127.0.0.1:1/none' })
    expect(outcome).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^The database at 127\.0\.0\.1:1\/none cannot be reached: .*\n$/) as string,
    })
    expect(outcome.stderr).not.toContain('hunter2')
  })

  test('says what it waits for when that takes long', async () => {
    const silent = await openSilentPort()
    try {
      const server = startTabwire(
        ['serve'],
        commandEnvironment(dataDir, { DATABASE_URL: `postgres://me@127.0.0.1:${silent.port}/none` }),
      )
      started.add(server)
      const [, seconds] = await server.printed(/^Still opening the database \((\d+) s\)$/m)
      expect(Number(seconds)).toBeGreaterThan(0)
    } finally {
      await silent.close()
    }
  })

  test('refuses a browser that is none, in one line', async () => {
    const outcome = await refused({ TABWIRE_BROWSER_PATH: '/nowhere/chrome' })
    expect(outcome).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^.*TABWIRE_BROWSER_PATH names \/nowhere\/chrome, which is no executable file.*\n$/,
      ) as string,
    })
  })
})
