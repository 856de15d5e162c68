import { chromium } from 'playwright'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { actionApi } from '../support/action-api.ts'
import { artifactApi } from '../support/artifact-api.ts'
import { connectApi, ofKind } from '../support/connect-api.ts'
import { leakGate } from '../support/leak-gate.ts'
import { SESSION, sessionApi, type SessionData } from '../support/session-api.ts'
import { machineIdOf, startCluster, type TestCluster } from '../support/start-cluster.ts'
import type { TestApp } from '../support/start-app.ts'
import { startTestSite, type TestSite } from '../support/test-site.ts'

leakGate()

/** Whatever is asked of a session reaches it through any machine. Sessions start at one, and all else goes to the other. */

let site: TestSite
let cluster: TestCluster
let owning: TestApp
let other: TestApp
const { start } = sessionApi(() => owning)
const there = sessionApi(() => other)
const { run } = actionApi(() => other)

beforeAll(async () => {
  site = await startTestSite()
  cluster = await startCluster()
  owning = await cluster.start()
  other = await cluster.start()
  await cluster.startOnly(await machineIdOf(owning))
})
afterAll(async () => {
  await cluster?.close()
  await site?.close()
})

/** The same link at the other machine, as a load balancer would hand it on. */
const atOther = (url: string) => url.replace(new URL(owning.url).host, new URL(other.url).host)

test('actions, large results included, changes and the end', async () => {
  const { id, machineId } = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
  const [small] = await run(id, [{ evaluate: { expression: 'console.log("said from elsewhere"); 6 * 7' } }])
  expect(small).toMatchObject({ success: true, result: 42 })
  const large = { evaluate: { expression: '"x".repeat(150_000)' } }
  const results = await run(id, [large, large, large])
  expect(results.map(({ result }) => String(result).length)).toEqual([150_000, 150_000, 150_000])
  const broken = await other.send(
    'mutation ($id: ID!) { runActions(sessionId: $id, actions: [{ navigate: { url: "" } }]) { success } }',
    { id },
  )
  expect(broken.errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', issues: [{}] })
  const update = `mutation ($id: ID!) { updateSession(id: $id, input: { name: "renamed" }) { ${SESSION} } }`
  const { updateSession } = await other.query<{ updateSession: SessionData }>(update, { id })
  expect(updateSession).toMatchObject({ name: 'renamed', machineId, status: 'RUNNING' })
  expect(await there.terminate(id)).toMatchObject({ status: 'CLOSED', endReason: 'TERMINATED' })
  expect((await owning.send('mutation ($id: ID!) { terminateSession(id: $id) { id } }', { id })).errors).toBeUndefined()
})

test('pages, health, pending requests and observations; a list asks each machine for all of its sessions; all of them end at once', async () => {
  const url = `${site.url}/title`
  const started = [await start({ initialPrompt: url }, 'LOADED'), await start({ initialPrompt: url }, 'LOADED')]
  await cluster.startOnly(await machineIdOf(other))
  const own = await there.start({ initialPrompt: url }, 'LOADED')
  await cluster.startOnly(await machineIdOf(owning))
  const query = `{ sessions(first: 10, filter: { status: [RUNNING] }) { nodes {
    id expiresAt pendingRequestCount pages { id url } health { status browserResponsive } pendingRequests(first: 5) { url } } } }`
  interface Node {
    id: string
    expiresAt: string | null
    pages: { url: string }[] | null
    health: { status: string; browserResponsive: boolean } | null
  }
  type Found = { sessions: { nodes: Node[] } }
  const answered = (node: Node) => node.pages && node.expiresAt && node.health?.browserResponsive
  let nodes: Node[] = []
  // A machine has two seconds for it.
  await expect.poll(async () => (nodes = (await other.query<Found>(query)).sessions.nodes).every(answered)).toBe(true)
  expect(nodes.map(({ id }) => id).toSorted()).toEqual([...started, own].map(({ id }) => id).toSorted())
  for (const { pages, health } of nodes) {
    expect(pages).toMatchObject([{ url }])
    expect(health).toEqual({ status: 'HEALTHY', browserResponsive: true })
  }
  const observe = `query ($id: ID!) { session(id: $id) {
    pages { observation(screenshot: true) { title snapshot screenshot } } } }`
  type Observed = { session: { pages: { observation: { title: string; screenshot: string } }[] } }
  const pages = async () => (await other.query<Observed>(observe, { id: started[0]!.id })).session.pages
  await expect.poll(pages).toMatchObject([{ observation: { title: 'A title' } }])
  const terminateAll = 'mutation { terminateSessions(filter: { status: [RUNNING] }) }'
  expect(await other.query(terminateAll)).toEqual({ terminateSessions: 3 })
  for (const one of [...started, own]) expect((await there.get(one.id))!.status).toBe('CLOSED')
})

test('uploads, by the API and by a signed link of the other machine, and profiles', async () => {
  const { id } = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
  const { url } = await artifactApi(() => other).give(id, 'given elsewhere', 'given.txt')
  expect(await (await fetch(url)).text()).toBe('given elsewhere')
  const ticket = await artifactApi(() => owning).ticket(id, 'sent.bin')
  const body = Buffer.alloc(3_000_000, 7)
  const put = (link: string) => fetch(link, { method: 'PUT', body })
  expect([await put(atOther(ticket.url)), await put(ticket.url)].map(({ status }) => status)).toEqual([201, 409])
  const log = await connectApi(() => other).untilLogged(
    id,
    (entries) => ofKind(entries, 'ArtifactCreated').length === 2,
  )
  expect(ofKind(log, 'ArtifactCreated')).toHaveLength(2)
  const save = 'mutation ($id: ID!) { saveProfile(sessionId: $id, name: "elsewhere") { name } }'
  expect(await other.query(save, { id })).toEqual({ saveProfile: { name: 'elsewhere' } })
  await there.terminate(id)
  // The link is good for a session that has ended, too.
  const late = await artifactApi(() => other).give(id, 'late', 'late.txt')
  expect(await (await fetch(late.url)).text()).toBe('late')
})

test('exports of the log, live and ended, by links of one machine used at the other', async () => {
  const { id } = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
  const query = `query ($id: ID!, $format: LogExportFormat!) { exportLog(sessionId: $id, format: $format) { url } }`
  const contentOf = async (format: 'HAR' | 'NDJSON') => {
    const { exportLog } = await owning.query<{ exportLog: { url: string } }>(query, { id, format })
    return await Promise.all([exportLog.url, atOther(exportLog.url)].map(async (url) => (await fetch(url)).text()))
  }
  for (const isLive of [true, false]) {
    if (!isLive) await there.terminate(id)
    for (const format of ['HAR', 'NDJSON'] as const) {
      const url = expect.stringContaining(`${site.url}/title`) as string
      // A busy machine may have answered before the page was loaded.
      await expect.poll(() => contentOf(format)).toEqual([url, url])
    }
  }
})

test('Playwright connects, by a link of the machine of the session used at another', async () => {
  const { id } = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
  const link = atOther(await connectApi(() => owning).cdpUrlOf(id))
  for (const endpoint of [link, link.replace('ws://', 'http://')]) {
    const browser = await chromium.connectOverCDP(endpoint)
    const [page] = browser.contexts()[0]!.pages()
    await page!.goto(`${site.url}/console`)
    expect(await page!.evaluate('"x".repeat(5_000_000).length')).toBe(5_000_000)
    expect(await page!.evaluate((text) => text.length, 'y'.repeat(5_000_000))).toBe(5_000_000)
    expect(await page!.evaluate('"z".repeat(9_000_000)')).toHaveLength(9_000_000)
    await browser.close()
  }
  const browser = await chromium.connectOverCDP(link)
  const gone = new Promise((resolve) => browser.once('disconnected', resolve))
  await there.terminate(id)
  await gone
  const log = await connectApi(() => other).logOf(id)
  expect(ofKind(log, 'ClientDetached').map(({ detachReason }) => detachReason)).toEqual([
    'CLIENT_LEFT',
    'CLIENT_LEFT',
    'SESSION_ENDED',
  ])
})

interface Frame {
  screencast: { pageId: string; width: number }
}

test('the live view and its input, with a key and with a link, until the session ends', async () => {
  const { id } = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
  const query = 'subscription ($id: ID!) { screencast(sessionId: $id, maxWidth: 100) { pageId width } }'
  const { session } = await owning.query<{ session: { access: { liveViewUrl: string } } }>(
    'query ($id: ID!) { session(id: $id) { access(ttlSeconds: 3600) { liveViewUrl } } }',
    { id },
  )
  const token = /twl_[^&]+/.exec(session.access.liveViewUrl)![0]
  const keys = [other.apiKey, decodeURIComponent(token)]
  const seen = keys.map(() => Promise.withResolvers<void>())
  const watching = keys.map(async (key, nth) => {
    let frames = 0
    for await (const { data, errors } of other.client(key).iterate<Frame>({ query, variables: { id } })) {
      if (errors || !data) throw new Error(JSON.stringify(errors))
      expect(data.screencast.width).toBeLessThanOrEqual(100)
      if ((frames += 1) === 1) seen[nth]!.resolve()
    }
    return frames
  })
  // A watcher that ends without a frame has failed.
  await Promise.all(seen.map(({ promise }, nth) => Promise.race([promise, watching[nth]])))
  const dispatch = `mutation ($id: ID!) { dispatchInput(sessionId: $id, events: [{ mouse: { type: MOVE, x: 5, y: 5 } }]) }`
  expect(await other.query(dispatch, { id })).toEqual({ dispatchInput: true })
  await there.terminate(id)
  for (const frames of await Promise.all(watching)) expect(frames).toBeGreaterThan(0)
})

test('a start that is repeated at the other machine waits for the same state', async () => {
  const input = { idempotencyKey: crypto.randomUUID(), initialPrompt: `${site.url}/title` }
  const [first, again] = await Promise.all([start(input, 'LOADED'), there.start(input, 'LOADED')])
  expect(again.id).toBe(first.id)
  expect(again).toMatchObject({ status: 'RUNNING', machineId: first.machineId })
  await there.terminate(first.id)
})

test('NATS away: commands fail with a retryable code, reads continue, and all of it works again without a restart', async () => {
  const { id } = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
  await cluster.nats.stop()
  const terminate = () => other.send('mutation ($id: ID!) { terminateSession(id: $id) { status } }', { id })
  await expect
    .poll(async () => (await terminate()).errors?.[0]?.extensions)
    .toMatchObject({ code: 'MACHINE_UNREACHABLE', retryAfterSeconds: expect.any(Number) as number })
  expect((await there.get(id))!.status).toBe('RUNNING')
  // What only its machine knows is null; its machine itself needs no NATS for it.
  const live = 'query ($id: ID!) { session(id: $id) { pages { url } health { status } expiresAt } }'
  expect(await other.query(live, { id })).toEqual({ session: { pages: null, health: null, expiresAt: null } })
  expect(await owning.query(live, { id })).toMatchObject({ session: { pages: [{ url: `${site.url}/title` }] } })
  await cluster.nats.start()
  await expect.poll(async () => (await terminate()).data).toEqual({ terminateSession: { status: 'CLOSED' } })
})
