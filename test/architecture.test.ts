import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { importsOf, readSource, moduleOf } from './support/source-imports.ts'

const ROOT = join(import.meta.dirname, '..')

const read = (pattern: string) =>
  globSync(pattern, { cwd: join(ROOT, 'src') })
    .sort()
    .map(readSource)

const sources = read('**/*.ts')
const dashboard = read('../dashboard/src/**/*.{ts,tsx}')

/** Knows only Node, and owners of faults. */
const ASYNC = 'async'

/** Files at the top of src/ without rules and technologies: every module may use them, except the domain. */
const COMMON = ['config.ts', 'logger.ts', 'package-files.ts', 'startup-failed.ts']

/** Adapters that are opened where the configuration names them. */
const CONFIGURED = 'artifacts bus chat-model machines oidc playwright postgres'
  .split(' ')
  .map((name) => `adapters/${name}`)

/** For each module, the modules that it may import, as in the arrows of ARCHITECTURE.md. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  async: ['fault-owner.ts'],
  contract: [],
  ports: ['contract'],
  egress: ['ports'],
  'fault-owner.ts': [],
  'http-paths.ts': [],
  'machine-channel.ts': ['ports'],
  domain: ['ports', 'contract', 'egress', 'fault-owner.ts', ASYNC],
  schema: ['domain', 'ports', 'contract', 'http-paths.ts', ASYNC, ...COMMON],
  server: [
    'schema',
    'domain',
    'ports',
    'contract',
    'fault-owner.ts',
    'http-paths.ts',
    'machine-channel.ts',
    ASYNC,
    ...COMMON,
  ],
  bridge: [ASYNC, ...COMMON],
  // Runs in browsers and in other programs: it includes no server code.
  client: [],
  'adapters/artifacts': ['ports', ASYNC, ...COMMON],
  'adapters/bus': ['ports', 'fault-owner.ts', ASYNC, ...COMMON],
  'adapters/chat-model': ['ports', ASYNC, ...COMMON],
  'adapters/egress': ['ports', 'egress', 'fault-owner.ts', ASYNC, ...COMMON],
  'adapters/json-schema': ['ports', ASYNC, ...COMMON],
  'adapters/machines': ['ports', 'http-paths.ts', 'machine-channel.ts', ASYNC],
  'adapters/oidc': ['ports', 'fault-owner.ts', ASYNC, ...COMMON],
  'adapters/playwright': ['ports', 'contract', 'egress', 'fault-owner.ts', ASYNC, ...COMMON],
  'adapters/postgres': ['ports', 'contract', 'fault-owner.ts', ASYNC, ...COMMON],
  'config.ts': ['ports', 'environment.ts'],
  // Its rules for hosts are those of sessions.
  'environment.ts': ['ports', 'contract', 'egress'],
  'logger.ts': ['config.ts'],
  'package-files.ts': [],
  'startup-failed.ts': [],
  'data-directory-lock.ts': ['startup-failed.ts'],
  'durable-file.ts': ['startup-failed.ts'],
  'signing-keys-file.ts': ['durable-file.ts', 'startup-failed.ts'],
  'temp-directory.ts': ['startup-failed.ts'],
  'machine-identity.ts': ['data-directory-lock.ts', 'durable-file.ts'],
  'data-directory.ts': [
    'data-directory-lock.ts',
    'durable-file.ts',
    'machine-identity.ts',
    'signing-keys-file.ts',
    'startup-failed.ts',
  ],
  'listen.ts': ['server', ...COMMON],
  'long-step.ts': [],
  'configured-adapters.ts': ['ports', ...CONFIGURED, ...COMMON],
  'cluster-calls.ts': ['server', 'domain', 'ports', ...COMMON],
  'app.ts': [
    'cluster-calls.ts',
    'configured-adapters.ts',
    'listen.ts',
    'long-step.ts',
    'server',
    'schema',
    'domain',
    'ports',
    'adapters/egress',
    'adapters/json-schema',
    'data-directory.ts',
    'data-directory-lock.ts',
    ...COMMON,
  ],
  commands: [
    'app.ts',
    'configured-adapters.ts',
    ASYNC,
    'bridge',
    'schema',
    'domain',
    'ports',
    'contract',
    'fault-owner.ts',
    'http-paths.ts',
    'data-directory.ts',
    'data-directory-lock.ts',
    'signing-keys-file.ts',
    ...COMMON,
    'temp-directory.ts',
  ],
  'main.ts': ['commands', 'domain', ...COMMON],
}

/**
 * Divided folders: for each part, the parts that it may import. Files at the top of such a folder tie its parts
 * together: they may import all of them, and none imports them. A part may be divided in turn.
 */
const PARTS: Record<string, Record<string, readonly string[]>> = {
  domain: {
    kernel: [],
    log: ['kernel'],
    artifacts: ['kernel'],
    redaction: ['kernel'],
    bodies: ['kernel', 'log'],
    exports: ['kernel', 'log'],
    sessions: ['kernel', 'log', 'artifacts', 'bodies', 'redaction'],
    session: ['kernel', 'log', 'artifacts', 'bodies', 'redaction', 'exports', 'sessions'],
    tasks: ['kernel', 'log', 'sessions'],
    actions: ['kernel', 'session', 'sessions'],
    profiles: ['kernel', 'sessions'],
    machines: ['kernel', 'sessions', 'tasks'],
    starts: ['kernel', 'profiles', 'sessions', 'tasks'],
    remote: ['kernel', 'log', 'sessions', 'starts'],
    local:
      'kernel log artifacts bodies redaction exports sessions session tasks actions profiles machines starts'.split(
        ' ',
      ),
    keys: ['kernel', 'log'],
    links: ['kernel', 'log', 'keys', 'artifacts', 'bodies', 'exports', 'sessions'],
    access: ['kernel', 'keys', 'links'],
  },
  schema: {
    base: [],
    sessions: ['base'],
    tasks: ['base', 'sessions'],
    access: ['base', 'sessions'],
    artifacts: ['base', 'sessions'],
    'live-view': ['base', 'sessions'],
    log: ['base', 'sessions', 'tasks', 'artifacts'],
    actions: ['base', 'sessions', 'artifacts'],
  },
  server: {
    base: [],
    pages: ['base'],
    files: ['base'],
    graphql: ['base', 'pages'],
  },
  'adapters/playwright': {
    library: [],
    cdp: ['library'],
    launch: ['cdp', 'library'],
    network: ['cdp'],
    files: ['cdp'],
    'live-view': ['cdp'],
    actions: ['cdp', 'library', 'network', 'files'],
    relay: ['cdp', 'library', 'network', 'files', 'actions'],
    captures: ['cdp', 'library', 'launch'],
    recorders: ['cdp', 'launch', 'network', 'captures'],
    session: ['cdp', 'library', 'launch', 'network', 'files', 'live-view', 'actions', 'relay', 'captures', 'recorders'],
  },
  'adapters/playwright/actions': {
    site: [],
    kinds: ['site'],
  },
  'adapters/playwright/recorders': {
    exchanges: [],
    bodies: ['exchanges'],
    network: ['exchanges', 'bodies'],
    messages: ['exchanges'],
    console: [],
    issues: ['exchanges', 'console'],
    pages: [],
  },
  'adapters/playwright/cdp': {
    protocol: [],
    pipe: [],
    barrier: ['protocol'],
    connection: ['protocol', 'pipe', 'barrier'],
    targets: ['protocol', 'barrier', 'connection'],
  },
  'adapters/postgres': {
    base: [],
    embedded: [],
    connection: ['base', 'embedded'],
    entries: ['base', 'connection'],
    sessions: ['base', 'connection', 'entries'],
    artifacts: ['base'],
    access: ['base'],
    tasks: ['base'],
    machines: ['base'],
  },
  'adapters/egress': {
    names: [],
    proxy: ['names'],
    thread: ['names', 'proxy'],
  },
  'domain/log': {
    entries: [],
    writing: ['entries'],
    reading: ['entries', 'writing'],
  },
  'domain/sessions': {
    input: [],
  },
  ports: {
    base: [],
    log: [],
    artifacts: [],
    egress: [],
    machines: [],
    access: [],
    browser: ['base', 'log', 'artifacts', 'egress'],
    tasks: ['base'],
    sessions: ['base', 'log', 'egress', 'browser', 'tasks'],
    store: ['base', 'log', 'artifacts', 'machines', 'access', 'tasks', 'sessions'],
  },
  contract: {
    input: [],
    actions: ['input'],
    entries: ['actions'],
  },
  '../dashboard/src': {
    base: [],
    api: ['base'],
    parts: ['base', 'api'],
    'sign-in': ['base', 'parts'],
    log: ['base', 'api', 'parts'],
    'live-view': ['base', 'api', 'parts'],
    console: ['base', 'api', 'parts', 'log'],
    network: ['base', 'api', 'parts', 'log'],
    timeline: ['base', 'api', 'parts', 'log'],
    sessions: ['base', 'api', 'parts'],
    session: ['base', 'api', 'parts', 'log', 'live-view', 'console', 'network', 'timeline', 'sessions'],
  },
}

/** Parts hidden from other modules: SessionHandle and SessionDirectory are the only way to a live session. */
const HIDDEN_PARTS = ['domain/session/', 'domain/local/']
const SEE_HIDDEN_PARTS = ['domain', 'app.ts']

/** Modules that encode and decode global ids: the boundaries to clients, models and command-line users. */
const SPEAK_GLOBAL_IDS = [
  'schema',
  'server',
  'commands',
  'domain/tasks/task-tools.ts',
  'domain/exports/ndjson.ts',
  // Not for clients: stored hashes were made with one.
  'domain/sessions/input/idempotency.ts',
]

/** The part of a divided folder that a path below src/ belongs to; null if it is at its top, or elsewhere. */
function partOf(folder: string, path: string): string | null {
  if (!path.startsWith(`${folder}/`)) return null
  const below = path.slice(folder.length + 1)
  return below.includes('/') ? below.slice(0, below.indexOf('/')) : null
}

describe('imports', () => {
  test('every file lies in a module that is on the plan', () => {
    expect(sources.length).toBeGreaterThan(10)
    expect(sources.filter(({ module }) => !(module in MAY_IMPORT)).map(({ path }) => path)).toEqual([])
  })

  test('go one way: server → schema → domain → ports ← adapters', () => {
    const wrong = sources.flatMap(({ path, module, local }) =>
      local
        .filter(({ specifier }) => specifier.startsWith('..') === false)
        .filter(({ specifier }) => moduleOf(specifier) !== module && !MAY_IMPORT[module]?.includes(moduleOf(specifier)))
        .map(({ specifier }) => `${path} imports ${specifier}`),
    )
    expect(wrong).toEqual([])
  })

  test('within a divided folder go one way too, those of types included', () => {
    const wrong = Object.entries(PARTS).flatMap(([folder, parts]) => {
      const divided = [...sources, ...dashboard].filter(({ path }) => path.startsWith(`${folder}/`))
      expect(divided.length).toBeGreaterThan(10)
      return divided.flatMap(({ path, local }) => {
        const own = partOf(folder, path)
        if (own === null) return []
        if (!(own in parts)) return [`${path} is in a part that is not on the plan`]
        return local
          .filter(({ specifier }) => specifier.startsWith(`${folder}/`) && partOf(folder, specifier) !== own)
          .filter(({ specifier }) => !parts[own]!.includes(partOf(folder, specifier) ?? ''))
          .map(({ specifier }) => `${path} imports ${specifier}`)
      })
    })
    expect(wrong).toEqual([])
  })

  test('reach live sessions by handle and directory only', () => {
    const wrong = sources.filter(
      ({ module, local }) =>
        !SEE_HIDDEN_PARTS.includes(module) &&
        local.some(({ specifier }) => HIDDEN_PARTS.some((part) => specifier.startsWith(part))),
    )
    expect(wrong.map(({ path }) => path)).toEqual([])
  })

  // Types are printed in the order in which their files were first imported.
  test('reach the nouns of the API by schema.ts only, so that its text does not depend on who asks for it', () => {
    const wrong = globSync(['src/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts'], { cwd: ROOT })
      .filter((path) => !path.startsWith('src/schema/'))
      .flatMap((path) =>
        importsOf(readFileSync(join(ROOT, path), 'utf8'))
          .map(({ specifier }) => join(dirname(path), specifier))
          .filter((target) => /^src\/schema\/(?!schema\.ts$|base\/)/.test(target))
          .map((target) => `${path} imports ${target}`),
      )
    expect(wrong).toEqual([])
  })

  test('let global ids in no further than the edge', () => {
    const knowing = sources.filter(({ local }) => local.some(({ specifier }) => specifier === 'contract/global-id.ts'))
    expect(knowing.length).toBeGreaterThan(10)
    const wrong = knowing.filter(
      ({ path, module }) => ![module, path].some((place) => SPEAK_GLOBAL_IDS.includes(place)),
    )
    expect(wrong.map(({ path }) => path)).toEqual([])
  })

  test('make no circle, those of types included', () => {
    const paths = globSync(['src/**/*.ts', 'dashboard/src/**/*.{ts,tsx}'], { cwd: ROOT })
    const imports = new Map(
      paths.map((path) => {
        const found = importsOf(readFileSync(join(ROOT, path), 'utf8'))
        return [path, found.map(({ specifier }) => join(dirname(path), specifier))]
      }),
    )
    const done = new Set<string>()
    const circleFrom = (path: string, above: readonly string[]): string[] | null => {
      if (above.includes(path)) return [...above.slice(above.indexOf(path)), path]
      if (done.has(path)) return null
      for (const next of imports.get(path) ?? []) {
        const circle = circleFrom(next, [...above, path])
        if (circle) return circle
      }
      done.add(path)
      return null
    }
    expect(paths.map((path) => circleFrom(path, [])).filter((circle) => circle !== null)).toEqual([])
  })

  test('none leaves src/, but for the migrations, the example operations, the built dashboard and the version', () => {
    const data = ['../drizzle/', '../examples/', '../dist-dashboard/', '../package.json']
    const outside = sources.flatMap(({ path, local }) =>
      local
        .filter(({ specifier }) => specifier.startsWith('..') && !data.includes(specifier))
        .map(({ specifier }) => `${path} reaches ${specifier}`),
    )
    expect(outside).toEqual([])
  })

  test('only app.ts and configured-adapters.ts name adapters', () => {
    const naming = sources
      .filter(({ module }) => !module.startsWith('adapters/'))
      .filter(({ local }) => local.some(({ specifier }) => specifier.startsWith('adapters/')))
    expect(
      naming.map(({ path }) => path).filter((path) => !['app.ts', 'configured-adapters.ts'].includes(path)),
    ).toEqual([])
  })
})
