import { afterAll, beforeAll, expect, test } from 'vitest'
import { leakGate } from '../support/leak-gate.ts'
import { sessionApi } from '../support/session-api.ts'
import { machineIdOf, startCluster, type TestCluster } from '../support/start-cluster.ts'
import type { TestApp } from '../support/start-app.ts'
import { startTestSite, type TestSite } from '../support/test-site.ts'
import { readEntireLog } from '../support/entire-log.ts'

leakGate()

/** A log is followed on any machine as on that of its session. Nothing is polled here: what arrives was announced. */

const NEVER = { pollMs: Number.POSITIVE_INFINITY, progressMs: Number.POSITIVE_INFINITY }

let site: TestSite
let cluster: TestCluster
let owning: TestApp
let other: TestApp
const { start, terminate } = sessionApi(() => owning)

beforeAll(async () => {
  site = await startTestSite()
  cluster = await startCluster()
  owning = await cluster.start({}, { followerTiming: NEVER })
  other = await cluster.start({}, { followerTiming: NEVER })
  await cluster.startOnly(await machineIdOf(owning))
})
afterAll(async () => {
  await cluster?.close()
  await site?.close()
})

interface Line {
  sequence: number
  text?: string
}

/** Follows the whole log on the other machine. */
function follow(id: string) {
  const lines: Line[] = []
  const query = `subscription { sessionEvents(sessionId: "${id}") { entries { sequence ... on ConsoleMessage { text } } } }`
  const ended = (async () => {
    for await (const { data, errors } of other.client().iterate<{ sessionEvents: { entries: Line[] } }>({ query })) {
      if (errors || !data) throw new Error(JSON.stringify(errors))
      lines.push(...data.sessionEvents.entries)
    }
  })()
  return { lines, ended, texts: () => lines.flatMap(({ text }) => text ?? []) }
}

const log = (id: string, text: string) =>
  owning.query(
    `mutation ($id: ID!, $expression: String!) {
      runActions(sessionId: $id, actions: [{ evaluate: { expression: $expression } }]) { success } }`,
    { id, expression: `console.log(${JSON.stringify(text)})` },
  )

const ready = async (app: TestApp) => {
  const response = await fetch(`${app.url}/ready`)
  return [response.status, ((await response.json()) as { degraded?: string[] }).degraded]
}

test('each entry arrives on the other machine when it is committed, in the order of the log, to its end', async () => {
  const { id } = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
  const followed = follow(id)
  for (let round = 0; round < 5; round += 1) {
    await log(id, `line ${round}`)
    await expect.poll(followed.texts).toContain(`line ${round}`)
  }
  await terminate(id)
  await followed.ended
  const kept = await readEntireLog<Line>(owning, id, 'sequence ... on ConsoleMessage { text }')
  expect(followed.lines).toEqual(kept)
  expect(kept.map(({ sequence }) => sequence)).toEqual(kept.map((_, index) => index + 1))
})

test('NATS restarts under a burst: nothing is lost, the order stays, /ready says so, and nobody starts anew', async () => {
  const { id } = await start({ initialPrompt: `${site.url}/ticker?ms=5` }, 'LOADED')
  const followed = follow(id)
  await expect.poll(() => followed.texts().length).toBeGreaterThan(10)
  await cluster.nats.stop()
  const degraded = [200, [expect.stringMatching(/^NATS is not connected/)]]
  await expect.poll(() => ready(owning)).toEqual(degraded)
  await expect.poll(() => ready(other)).toEqual(degraded)
  await log(id, 'said while NATS was away')
  // Queries and mutations go on; only waking is gone.
  expect((await readEntireLog<Line>(other, id, 'sequence')).length).toBeGreaterThan(10)
  await cluster.nats.start()
  await expect.poll(followed.texts).toContain('said while NATS was away')
  await expect.poll(() => ready(other)).toEqual([200, undefined])
  await expect.poll(() => ready(owning)).toEqual([200, undefined])
  await log(id, 'said afterwards')
  await expect.poll(followed.texts).toContain('said afterwards')
  await terminate(id)
  await followed.ended
  expect(followed.lines).toEqual(await readEntireLog<Line>(other, id, 'sequence ... on ConsoleMessage { text }'))
})

test('a follower on the other machine that leaves and comes back has the rest', async () => {
  const { id } = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
  const query = (after: string) =>
    `subscription { consoleMessages(sessionId: "${id}"${after}) { entries { text } cursor } }`
  type Batch = { consoleMessages: { entries: Line[]; cursor: string } }
  let cursor = ''
  await log(id, 'first')
  for await (const { data } of other.client().iterate<Batch>({ query: query('') })) {
    cursor = data!.consoleMessages.cursor
    if (data!.consoleMessages.entries.length > 0) break
  }
  await log(id, 'second')
  const texts: (string | undefined)[] = []
  for await (const { data } of other.client().iterate<Batch>({ query: query(`, after: "${cursor}"`) })) {
    texts.push(...data!.consoleMessages.entries.map(({ text }) => text))
    if (texts.length > 0) break
  }
  expect(texts).toEqual(['second'])
  await terminate(id)
})
