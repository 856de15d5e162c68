import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadConfig, type Config } from '../../src/config.ts'
import { browsersOf } from '../support/browser-processes.ts'
import { CdpSocket } from '../support/cdp-socket.ts'
import { connectApi } from '../support/connect-api.ts'
import { startCuttableProxy, type CuttableProxy } from '../support/cuttable-proxy.ts'
import { leakGate } from '../support/leak-gate.ts'
import { sessionApi } from '../support/session-api.ts'
import { machineIdOf, startCluster, type TestCluster } from '../support/start-cluster.ts'
import type { TestApp } from '../support/start-app.ts'
import { startTestSite, type TestSite } from '../support/test-site.ts'
import { readEntireLog } from '../support/entire-log.ts'

leakGate()

/** A machine that alone cannot reach the database. The other one is never cut off, and has no browser. */

let site: TestSite
let cluster: TestCluster
let network: CuttableProxy
let cutOff: TestApp
let other: TestApp
const { start, get, terminate } = sessionApi(() => cutOff)

beforeAll(async () => {
  site = await startTestSite()
  cluster = await startCluster()
  network = await startCuttableProxy(cluster.postgres.url.replace('postgresql:', 'http:'))
  const url = new URL(cluster.postgres.url)
  url.host = new URL(network.url).host
  const { cluster: shared } = loadConfig(cluster.environment)
  const overrides: Partial<Config> = {
    database: { kind: 'server', url: url.href },
    cluster: { ...shared!, internalUrl: null, partitionSeconds: 3 },
  }
  cutOff = await cluster.start(overrides)
  other = await cluster.start()
  await cluster.startOnly(await machineIdOf(cutOff))
})
afterAll(async () => {
  network?.mend()
  await cluster?.close()
  await network?.close()
  await site?.close()
})

interface Entry {
  sequence: number
  text?: string
  endReason?: string
}
const ENTRY = 'sequence ... on ConsoleMessage { text } ... on StatusChange { endReason }'
const STATE = 'query ($id: ID!) { session(id: $id) { status endReason error } }'
const stateOf = async (id: string) => (await other.query<{ session: object }>(STATE, { id })).session

test.each(['cut', 'stall'] as const)('%s: it ends its browsers by itself, and its sessions are lost', async (how) => {
  const { id, machineId } = await start({ initialPrompt: `${site.url}/ticker?ms=20` }, 'LOADED')
  // Those that only showed whether browsers start are closed in the background.
  await expect.poll(() => browsersOf(process.pid)).toHaveLength(1)
  network[how]()
  // Before it reaches the database again.
  await expect.poll(() => browsersOf(process.pid)).toEqual([])
  await expect.poll(() => stateOf(id)).toMatchObject({ status: 'FAILED', endReason: 'MACHINE_LOST' })
  const entries = await readEntireLog<Entry>(other, id, ENTRY)
  network.mend()
  const isAlive = async () => {
    const { machines } = await other.query<{ machines: { id: string; alive: boolean }[] }>('{ machines { id alive } }')
    return machines.find((machine) => machine.id === machineId)?.alive
  }
  await expect.poll(isAlive).toBe(true)
  // Its own view of the session is that of the database.
  await expect.poll(async () => (await get(id))?.endReason).toBe('MACHINE_LOST')
  expect(await readEntireLog<Entry>(cutOff, id, ENTRY)).toEqual(entries)
  expect(entries.filter(({ endReason }) => endReason)).toHaveLength(1)
  const next = await start()
  expect(next.status).toBe('RUNNING')
  expect((await terminate(next.id)).endReason).toBe('TERMINATED')
})

test('no machine reaches the database for too long: it ends its browsers, and the rest of the log is written later', async () => {
  const { id } = await start({ initialPrompt: `${site.url}/ticker?ms=20` }, 'LOADED')
  await expect.poll(() => browsersOf(process.pid)).toHaveLength(1)
  await using client = await CdpSocket.connect(await connectApi(() => cutOff).cdpUrlOf(id))
  const { sessionId } = await client.attachToPage()
  await cluster.postgres.stop()
  await client.send('Runtime.evaluate', { expression: 'console.log("said while it was away")' }, sessionId)
  await expect.poll(() => browsersOf(process.pid)).toEqual([])
  await cluster.postgres.start()
  await expect.poll(() => stateOf(id).catch(() => null)).toMatchObject({ status: 'FAILED', endReason: 'MACHINE_LOST' })
  const entries = await readEntireLog<Entry>(other, id, ENTRY)
  expect(entries.map(({ sequence }) => sequence)).toEqual(entries.map((_, index) => index + 1))
  const lines = entries.flatMap(({ text }) => text ?? [])
  expect(lines).toContain('said while it was away')
  // The page counts its other lines.
  const ticks = lines.filter((line) => line !== 'said while it was away')
  expect(ticks).toEqual(ticks.map((_, index) => `tick ${index + 1}`))
  expect(entries.filter(({ endReason }) => endReason)).toHaveLength(1)
})
