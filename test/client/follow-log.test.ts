import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { createClient } from 'graphql-ws'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { followLog, type FollowLogOptions, type LogClient, type LogEndpoint } from '../../src/client/follow-log.ts'
import type { LogBatch } from '../../src/domain/log/log-follower.ts'
import type { LogReader } from '../../src/domain/log/log-reader.ts'
import { decodeEntryCursor } from '../../src/domain/kernel/cursor.ts'
import { startCuttingProxy, type CuttingProxy } from '../support/cutting-proxy.ts'
import { leakGate } from '../support/leak-gate.ts'
import {
  batchOf,
  consoleEntry,
  SESSION_ID,
  SESSION_UUID,
  startFakeServer,
  type FakeServer,
} from '../server/fake-server.ts'

/** The real transports over a log of a known length. */

leakGate()

/** Without `sequence`, by which repeated entries would be recognized: cursors alone must do. */
const WATCH = `subscription Watch($id: ID!, $after: String) {
  consoleMessages(sessionId: $id, after: $after) { entries { text } cursor live dropped } }`
const ENTRIES = 400

let server: FakeServer
let proxy: CuttingProxy
/** How many entries each batch has, in turn. */
let sizes: readonly number[]
/** How many followers were started, and how many batches each of them was asked for. */
let pulls: number[]

beforeAll(async () => {
  server = await startFakeServer({ logs: { follow: follow as unknown as LogReader['follow'] } })
  proxy = await startCuttingProxy(server.url)
})

afterAll(async () => {
  await proxy.close()
  await server.close()
})

beforeEach(() => {
  sizes = [7]
  pulls = []
})

/** The whole log from after the cursor to its end. */
function follow(_: unknown, { after }: { after?: string | null }, signal: AbortSignal) {
  const own = pulls.push(0) - 1
  async function* batches(): AsyncGenerator<LogBatch, undefined> {
    let last = after ? decodeEntryCursor(SESSION_UUID, after, 'after') : 0
    for (let turns = 0; last < ENTRIES && !signal.aborted; turns += 1) {
      pulls[own]! += 1
      const size = sizes[turns % sizes.length]!
      const sequences = Array.from({ length: Math.min(size, ENTRIES - last) }, (__, index) => last + 1 + index)
      last += sequences.length
      yield batchOf(
        sequences.map((sequence) => consoleEntry(sequence, `${sequence} ${'x'.repeat((sequence * 37) % 300)}`)),
      )
      await turn()
    }
  }
  return batches()
}

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

const transports: Record<string, (key?: string) => LogClient | LogEndpoint> = {
  'graphql-ws without retries of its own': (key = 'reader') => socketClient(key, { retryAttempts: 0 }),
  'graphql-ws that reconnects by itself': (key = 'reader') =>
    socketClient(key, { retryAttempts: 1_000, shouldRetry: () => true, retryWait: () => turn() }),
  'server-sent events': (key = 'reader') => ({ url: `${proxy.url}/graphql`, headers: { 'x-api-key': key } }),
}

function socketClient(key: string, options: object): LogClient {
  const client = createClient({
    url: `${proxy.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { 'x-api-key': key },
    ...options,
  })
  closing.push(() => client.dispose())
  return client
}

type Watched = { consoleMessages: { entries: { text: string }[] } }
const sequencesOf = (entries: { text: string }[]) => entries.map(({ text }) => Number.parseInt(text, 10))
const read = (client: LogClient | LogEndpoint, variables: object = {}, options: FollowLogOptions = {}) =>
  followLog<Watched>(client, WATCH, { id: SESSION_ID, ...variables }, { minDelayMs: 1, maxDelayMs: 5, ...options })

describe.each(Object.keys(transports))('over %s', (name) => {
  const connect = transports[name]!

  test('wherever connections break, and however slowly it is read, each entry comes once and in order', async () => {
    const cuts = fc.array(fc.oneof(fc.nat(600), fc.nat(60_000)), { maxLength: 12 })
    const batchSizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 5 })
    const held = fc.integer({ min: 1, max: 8 })
    const pauses = fc.array(fc.nat(5), { minLength: 1, maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(cuts, batchSizes, held, pauses, async (bytes, ofBatches, maxBufferedBatches, turns) => {
        sizes = ofBatches
        proxy.cutAfter(bytes)
        const seen: number[] = []
        let batches = 0
        for await (const { entries } of read(connect(), {}, { maxBufferedBatches })) {
          seen.push(...sequencesOf(entries))
          for (let count = turns[batches++ % turns.length]!; count > 0; count -= 1) await turn()
        }
        for (const close of closing.splice(0)) await close()
        expect(seen).toEqual(Array.from({ length: ENTRIES }, (_, index) => index + 1))
      }),
      { numRuns: 60 },
    )
  })

  test('a reader that stops makes the server stop, and loses nothing', async () => {
    sizes = [1]
    proxy.cutAfter([])
    const batches = read(connect(), {}, { maxBufferedBatches: 4 })
    const seen: number[] = []
    const take = (entries: { text: string }[]) => seen.push(...sequencesOf(entries))
    take((await batches.next()).value!.entries)
    // Nothing is asked of the server until something is read.
    let asked = -1
    await expect
      .poll(
        () => {
          const before = asked
          asked = pulls.reduce((sum, one) => sum + one, 0)
          return asked === before
        },
        { interval: 200 },
      )
      .toBe(true)
    expect(asked).toBeLessThan(ENTRIES)
    expect(pulls).toHaveLength(1)
    for await (const { entries } of batches) take(entries)
    expect(seen).toEqual(Array.from({ length: ENTRIES }, (_, index) => index + 1))
  })

  test('what no retry cures ends it with the code of the server', async () => {
    proxy.cutAfter([])
    await expect(read(connect(), { id: SESSION_ID.slice(0, -4) }).next()).rejects.toMatchObject({
      name: 'FollowLogError',
      code: 'NOT_FOUND',
    })
    await expect(read(connect('connector')).next()).rejects.toMatchObject({ code: 'FORBIDDEN' })
    await expect(read(connect('nobody')).next()).rejects.toMatchObject({
      code: expect.stringMatching(/^(UNAUTHENTICATED|FORBIDDEN)$/),
    })
    await expect(read(connect(), { after: 'x' }).next()).rejects.toMatchObject({ code: 'CURSOR_INVALID' })
    await expect(read(connect(), { id: 7 }).next()).rejects.toMatchObject({ code: expect.any(String) })
  })
})
