import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { startFakeModelServer, type Asked, type FakeModelServer } from '../support/fake-model-server.ts'
import { leakGate } from '../support/leak-gate.ts'
import { startPagesSite, type PagesSite } from '../support/pages-site.ts'
import { sessionApi } from '../support/session-api.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'
import { aiOf, call, calls, finish, steps, taskApi } from '../support/task-api.ts'
import { ALLOWED, INWARD, METADATA, NEIGHBOR, OWN, PRIVATE, PUBLIC } from './hosts.ts'

leakGate()
// Chromium starts a process for each error page.
const ENDS_WITHIN_MS = 100_000
vi.setConfig({ testTimeout: 120_000 })

const PAGES = {
  '/plain': '<title>Plain</title>plain',
  '/links':
    '<title>Links</title><a id="inward" href="http://intranet.test/link">files</a><a id="metadata" href="http://metadata.test/link">keys</a>',
}

let model: FakeModelServer
let site: PagesSite
/** Listens on every address except that of the site. */
const others = new Map<string, PagesSite>()

beforeAll(async () => {
  model = await startFakeModelServer()
  site = await startPagesSite(PAGES, { '/redirect': '?to' }, PUBLIC, 80)
  const secrets = { '*': '<title>Secrets</title><body>SECRETS' }
  for (const address of [PRIVATE, ALLOWED, METADATA, NEIGHBOR, OWN, '127.0.0.1', '::1', 'fd00:7::7']) {
    others.set(address, await startPagesSite(secrets, {}, address, 80))
  }
})
afterAll(async () => {
  for (const other of others.values()) await other.close()
  await site.close()
  await model.close()
})
beforeEach(() => {
  for (const { asked } of others.values()) asked.length = 0
  model.requests.length = 0
})

const reached = () => [...others].flatMap(([address, { asked }]) => asked.map((path) => `${address}${path}`))
const go = (url: string) => calls(call('navigate', { url }))
const redirectTo = (url: string) => `http://public.test/redirect?to=${encodeURIComponent(url)}`

/** Starts a server for the tests of a block, with a scripted model for its tasks. */
function withTasks(egress: 'OPEN' | 'PUBLIC') {
  let tabwire: TestApp
  beforeAll(async () => {
    const allow = egress === 'PUBLIC' ? ['allowed.test'] : []
    tabwire = await startTestApp({ ai: aiOf(model), egress: { mode: egress, allow } })
  })
  afterAll(() => tabwire.close())
  const sessions = sessionApi(() => tabwire)
  const tasks = taskApi(() => tabwire)

  /** Results of a task with these steps: its actions, the model's input, and blocked requests. */
  async function outcomeOf(given: Parameters<typeof steps>, input: Record<string, unknown> = {}) {
    const reported: string[] = []
    const script = steps(...given, finish('done'))
    model.script = (asked: Asked) => {
      reported.push(asked.last)
      return script(asked)
    }
    const { id } = await sessions.start(input)
    await tasks.start(id, { prompt: 'Look around.' })
    expect(await tasks.ended(id, ENDS_WITHIN_MS)).toMatchObject({ status: 'COMPLETED', result: 'done' })
    const query = `query ($id: ID!) { session(id: $id) { networkRequests(first: 1000) { nodes { url failure } } } }`
    interface Requests {
      session: { networkRequests: { nodes: { url: string; failure: string | null }[] } }
    }
    await sessions.recorded(id)
    const { session } = await tabwire.query<Requests>(query, { id })
    const failures = session.networkRequests.nodes.flatMap(({ url, failure }) => (failure ? [[url, failure]] : []))
    const timeline = await tasks.timeline(id)
    await sessions.terminate(id)
    const actions = timeline.filter(({ __typename: kind }) => kind === 'Action')
    expect(new Set(actions.map(({ origin }) => origin))).toEqual(new Set(['TASK']))
    const errors = actions.map(({ error }) => error as { code: string; message: string } | null)
    return { errors, reported: reported.slice(1), failures }
  }
  return outcomeOf
}

describe('a task on a server with egress public', () => {
  const outcomeOf = withTasks('PUBLIC')

  test('reaches the internet, and what is allowed', async () => {
    const { errors, reported } = await outcomeOf([go('http://public.test/plain'), go('http://allowed.test/')])
    expect(errors).toEqual([null, null])
    expect(reported[1]).toContain('SECRETS')
    expect(reached()).toEqual([`${ALLOWED}/`])
  })

  test(
    'is BLOCKED and told so where an address is not public, whatever the notation',
    { timeout: 120_000 },
    async () => {
      const { errors, reported } = await outcomeOf(INWARD.map((host) => go(`http://${host}/`)))
      INWARD.forEach((host, index) => {
        const message = expect.stringMatching(/TABWIRE_EGRESS|never opened/)
        expect([host, errors[index]]).toEqual([host, { code: 'BLOCKED', message }])
        expect([host, reported[index]]).toEqual([host, expect.stringContaining('BLOCKED')])
      })
      expect(reached()).toEqual([])
    },
  )

  test('is BLOCKED where a redirect or a page that it opens leads there, and the log names the rule', async () => {
    const { errors, failures } = await outcomeOf([
      go(redirectTo('http://intranet.test/redirected')),
      go(redirectTo('http://metadata.test/redirected')),
      calls(call('openPage', { url: 'http://intranet.test/opened' })),
      calls(call('openPage', { url: 'http://metadata.test/opened' })),
    ])
    expect(errors.map((error) => error?.code)).toEqual(Array(4).fill('BLOCKED'))
    expect(failures).toEqual([
      ['http://intranet.test/redirected', 'BLOCKED (private address)'],
      ['http://metadata.test/redirected', 'BLOCKED (cloud metadata)'],
      ['http://intranet.test/opened', 'BLOCKED (private address)'],
      ['http://metadata.test/opened', 'BLOCKED (cloud metadata)'],
    ])
    expect(reached()).toEqual([])
  })

  test('gets nowhere by links and scripts of a page', async () => {
    const { failures, reported } = await outcomeOf([
      go('http://public.test/links'),
      calls(call('click', { target: { css: '#inward' } })),
      go('http://public.test/links'),
      calls(
        call('evaluate', { expression: 'fetch("http://intranet.test/fetched", { mode: "no-cors" }).catch(String)' }),
      ),
      calls(call('click', { target: { css: '#metadata' } })),
    ])
    const blocked = failures.map(([url, failure]) => `${new URL(url!).pathname} ${failure}`)
    expect(blocked).toEqual([
      '/link BLOCKED (private address)',
      '/fetched BLOCKED (private address)',
      '/link BLOCKED (cloud metadata)',
    ])
    expect(reported.join()).not.toContain('SECRETS')
    expect(reached()).toEqual([])
  })

  test('stays within the hosts of its session', async () => {
    const given = [go('http://public.test/plain'), go('http://allowed.test/')]
    const { errors } = await outcomeOf(given, { allowedHosts: ['public.test'] })
    expect(errors).toEqual([null, { code: 'BLOCKED', message: expect.stringContaining('allowedHosts') }])
    expect(reached()).toEqual([])
  })
})

describe('a task on a server with egress open', () => {
  const outcomeOf = withTasks('OPEN')

  test('reaches what is private', async () => {
    const { errors } = await outcomeOf([go('http://intranet.test/'), go('http://10.7.7.9/')])
    expect(errors).toEqual([null, null])
    expect(reached()).toEqual([`${PRIVATE}/`, `${ALLOWED}/`])
  })

  test('is BLOCKED, sees nothing and the log says so at cloud metadata and link-local addresses', async () => {
    const { errors, reported, failures } = await outcomeOf([
      go(`http://${METADATA}/`),
      go('http://[::ffff:169.254.169.254]/'),
      go('http://metadata.test/named'),
      go('http://neighbor.test/named'),
      go(redirectTo(`http://${METADATA}/redirected`)),
      calls(call('openPage', { url: 'http://metadata.test/opened' })),
    ])
    expect(errors.map((error) => error?.code)).toEqual(Array(6).fill('BLOCKED'))
    expect(reported.join()).not.toContain('SECRETS')
    expect(failures.map(([url, failure]) => `${new URL(url!).pathname} ${failure}`)).toEqual([
      '/named BLOCKED (cloud metadata)',
      '/named BLOCKED (link-local address)',
      '/redirected BLOCKED (cloud metadata)',
      '/opened BLOCKED (cloud metadata)',
    ])
  })
})
