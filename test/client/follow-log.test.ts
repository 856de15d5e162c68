import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { createClient } from 'graphql-ws'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import {
  followLog,
  FollowLogError,
  type FollowLogOptions,
  type LogClient,
  type LogEndpoint,
} from '../../src/client/follow-log.ts'
import type { LogBatch } from '../../src/domain/log/reading/log-follower.ts'
import type { LogReader } from '../../src/domain/log/reading/log-reader.ts'
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
const RUNS = Number(process.env['TEST_RUNS'] ?? 25)

let server: FakeServer
let proxy: CuttingProxy
/** How many entries each batch has, in turn. */
let sizes: readonly number[]
/** Number of followers started, and number of batches requested from each. */
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

interface Connected {
  client: LogClient | LogEndpoint
  close(): void | Promise<void>
}

const transports: Record<string, (key: string) => Connected> = {
  'graphql-ws without retries of its own': (key) => socketClient(key, { retryAttempts: 0 }),
  'graphql-ws that reconnects by itself': (key) =>
    socketClient(key, { retryAttempts: 1_000, shouldRetry: () => true, retryWait: () => turn() }),
  'server-sent events': (key) => ({
    client: { url: `${proxy.url}/graphql`, headers: { 'x-api-key': key } },
    close: () => {},
  }),
}

function socketClient(key: string, options: object): Connected {
  const client = createClient({
    url: `${proxy.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { 'x-api-key': key },
    ...options,
  })
  return { client, close: () => client.dispose() }
}

type Watched = { consoleMessages: { entries: { text: string }[] } }
const sequencesOf = (entries: { text: string }[]) => entries.map(({ text }) => Number.parseInt(text, 10))
const read = ({ client }: Connected, variables: object = {}, options: FollowLogOptions = {}) =>
  followLog<Watched>(client, WATCH, { id: SESSION_ID, ...variables }, { minDelayMs: 1, maxDelayMs: 5, ...options })

describe.each(Object.keys(transports))('over %s', (name) => {
  const connect = async <T>(use: (connected: Connected) => Promise<T>, key = 'reader'): Promise<T> => {
    const connected = transports[name]!(key)
    try {
      return await use(connected)
    } finally {
      await connected.close()
    }
  }

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
        await connect(async (connected) => {
          let batches = 0
          for await (const { entries } of read(connected, {}, { maxBufferedBatches })) {
            seen.push(...sequencesOf(entries))
            for (let count = turns[batches++ % turns.length]!; count > 0; count -= 1) await turn()
          }
        })
        expect(seen).toEqual(Array.from({ length: ENTRIES }, (_, index) => index + 1))
      }),
      { numRuns: RUNS },
    )
  })

  test('a reader that stops makes the server stop, and loses nothing', async () => {
    sizes = [1]
    proxy.cutAfter([])
    const seen: number[] = []
    await connect(async (connected) => {
      const batches = read(connected, {}, { maxBufferedBatches: 4 })
      const first = await batches.next()
      seen.push(...sequencesOf(first.value!.entries))
      // No request to the server until something is read.
      let asked = -1
      const stands = () => {
        const before = asked
        asked = pulls.reduce((sum, one) => sum + one, 0)
        return asked === before
      }
      await expect.poll(stands, { interval: 200 }).toBe(true)
      expect(asked).toBeLessThan(ENTRIES)
      expect(pulls).toHaveLength(1)
      for await (const { entries } of batches) seen.push(...sequencesOf(entries))
    })
    expect(seen).toEqual(Array.from({ length: ENTRIES }, (_, index) => index + 1))
  })

  test('what no retry cures ends it with the code of the server', async () => {
    proxy.cutAfter([])
    const codeOf = (variables: object, key?: string) =>
      connect(async (connected) => {
        const failure: unknown = await read(connected, variables)
          .next()
          .catch((error: unknown) => error)
        expect(failure).toBeInstanceOf(FollowLogError)
        return (failure as FollowLogError).code
      }, key)
    expect(await codeOf({ id: SESSION_ID.slice(0, -4) })).toBe('NOT_FOUND')
    expect(await codeOf({ after: 'x' })).toBe('CURSOR_INVALID')
    expect(await codeOf({ id: [] })).toBe('BAD_USER_INPUT')
    expect(await codeOf({}, 'connector')).toBe('FORBIDDEN')
    // graphql-ws closes with 4403 where HTTP answers 401.
    expect(['UNAUTHENTICATED', 'FORBIDDEN']).toContain(await codeOf({}, 'nobody'))
  })
})
