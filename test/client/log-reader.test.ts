import { parse } from 'graphql'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { followLog, FollowLogError, type FollowLogOptions, type LogRetry } from '../../src/client/follow-log.ts'
import { lines, ScriptedClient } from './scripted-client.ts'

const WATCH = `subscription Watch($id: ID!, $after: String) {
  consoleMessages(sessionId: $id, after: $after) { entries { sequence } cursor live dropped droppedUnknown } }`

let client: ScriptedClient
let retries: LogRetry[]

beforeEach(() => {
  vi.useFakeTimers()
  client = new ScriptedClient()
  retries = []
})

afterEach(() => {
  if (vi.getTimerCount() > 0) throw new Error('a timer was left behind')
  vi.useRealTimers()
})

const follow = (options: FollowLogOptions = {}, variables: object = { id: 's1' }) =>
  followLog(client, WATCH, variables, { onRetry: (retry) => retries.push(retry), ...options })

const sequencesOf = (batch: { entries: readonly object[] } | undefined) =>
  batch?.entries.map((entry) => (entry as { sequence: number }).sequence)

const failWith = (code: string, extensions: object = {}) =>
  client.last.sink.error([{ message: `It is ${code}.`, extensions: { code, ...extensions } }])

describe('following', () => {
  test('subscribes when the first batch is asked for, hands each on, and ends with the log', async () => {
    const batches = follow()
    expect(client.subscriptions).toEqual([])
    const first = batches.next()
    expect(client.last.variables()).toEqual({ id: 's1' })
    expect(client.last.query).toBe(WATCH)
    const reported = { entries: [], cursor: 'c5', live: false, dropped: 3, droppedUnknown: true }
    client.last.sink.next({ data: { consoleMessages: reported } })
    expect(await first).toEqual({ done: false, value: reported })
    client.last.sink.next(lines(6, 7))
    client.last.sink.complete()
    expect(sequencesOf((await batches.next()).value)).toEqual([6, 7])
    expect(await batches.next()).toEqual({ done: true, value: undefined })
    expect(await batches.next()).toEqual({ done: true, value: undefined })
  })

  test('starts at the cursor that it is given, whatever its variable is called', async () => {
    const document = parse(`
      subscription ($place: String) { ...Root }
      fragment Root on Subscription { __typename lines: consoleMessages(sessionId: "s1", after: $place) { cursor } }`)
    const batches = followLog<{ lines: { cursor: string } }>(client, document, { place: 'c3' })
    const first = batches.next()
    expect(client.last.variables()).toEqual({ place: 'c3' })
    client.last.sink.next({ data: { lines: { cursor: 'c4' } } })
    expect((await first).value?.cursor).toBe('c4')
    client.last.sink.error(new Error('gone'))
    vi.runOnlyPendingTimers()
    expect(client.last.variables()).toEqual({ place: 'c4' })
    await batches.return?.()
  })

  test.each([
    ['{ sessions { totalCount } }', 'a subscription'],
    ['subscription A { a } subscription B { b }', 'exactly one operation'],
    ['subscription { consoleMessages(sessionId: "s1") { cursor } }', 'from a variable'],
    ['subscription { consoleMessages(sessionId: "s1", after: "c1") { cursor } }', 'from a variable'],
    ['subscription { ...A } fragment A on Subscription { ...A }', 'from a variable'],
    ['subscription {', 'Expected Name'],
  ])('refuses %s at once', (document, reason) => {
    expect(() => followLog(client, document, {})).toThrow(reason)
  })

  test('says so where the document does not select the cursor', async () => {
    const first = follow().next()
    client.last.sink.next({ data: { consoleMessages: { entries: [] } } })
    await expect(first).rejects.toThrow('must select `cursor`')
    expect(client.last.isOpen).toBe(false)
  })
})

describe('reconnecting', () => {
  test('resumes at the last cursor, with pauses that grow and are bounded, and counts anew after a batch', async () => {
    const batches = follow({ minDelayMs: 100, maxDelayMs: 1_000 })
    const first = batches.next()
    client.last.sink.next(lines(1, 2))
    await first
    const second = batches.next()
    for (let attempt = 1; attempt <= 12; attempt += 1) {
      client.last.sink.error(new Error('the connection broke'))
      expect(retries.at(-1)).toMatchObject({ attempt, error: { code: null, message: 'the connection broke' } })
      const longest = Math.min(1_000, 100 * 2 ** (attempt - 1))
      expect(retries.at(-1)!.delayMs).toBeGreaterThanOrEqual(longest / 2)
      expect(retries.at(-1)!.delayMs).toBeLessThanOrEqual(longest)
      expect(client.subscriptions).toHaveLength(attempt)
      vi.runOnlyPendingTimers()
      expect(client.last.variables()).toEqual({ id: 's1', after: 'c2' })
    }
    expect(new Set(retries.slice(4).map(({ delayMs }) => delayMs)).size).toBeGreaterThan(1)
    client.last.sink.next(lines(3))
    expect(sequencesOf((await second).value)).toEqual([3])
    client.last.sink.error(new Error('the connection broke'))
    expect(retries.at(-1)!.attempt).toBe(1)
    await batches.return?.()
  })

  test.each(['UNAUTHENTICATED', 'FORBIDDEN', 'NOT_FOUND', 'BAD_USER_INPUT', 'CURSOR_INVALID', 'RESPONSE_TOO_LARGE'])(
    'ends with %s, after what was received',
    async (code) => {
      const batches = follow()
      const first = batches.next()
      client.last.sink.next(lines(1))
      client.last.sink.next(lines(2))
      client.last.sink.next({ data: null, errors: [{ message: 'It is so.', extensions: { code } }] })
      client.last.sink.complete()
      await first
      expect(sequencesOf((await batches.next()).value)).toEqual([2])
      const failure = await batches.next().catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(FollowLogError)
      expect(failure).toMatchObject({ code, message: 'It is so.', errors: [{ extensions: { code } }] })
      expect(await batches.next()).toEqual({ done: true, value: undefined })
      expect(retries).toEqual([])
    },
  )

  test.each([
    [{ code: 4401, reason: 'Unauthorized' }, 'UNAUTHENTICATED'],
    [{ code: 4403, reason: 'The API key is no longer valid' }, 'FORBIDDEN'],
    [{ code: 4400, reason: 'Bad request' }, null],
    [
      new (class extends Error {
        response = { status: 401 }
      })('no'),
      'UNAUTHENTICATED',
    ],
  ])('ends with %o, whatever transport told it', async (cause, code) => {
    const first = follow().next()
    client.last.sink.error(cause)
    await expect(first).rejects.toMatchObject({ code, cause })
  })

  test.each([
    [{ code: 1001, reason: 'Going away' }],
    [{ code: 1006, reason: '' }],
    [{ code: 1013, reason: 'DATABASE_UNAVAILABLE' }],
    [
      new (class extends Error {
        response = { status: 503 }
      })('no'),
    ],
    [[{ message: 'away', extensions: { code: 'STORAGE_UNAVAILABLE' } }]],
    [[{ message: 'later', extensions: { code: 'OF_TOMORROW', retryAfterSeconds: 1 } }]],
    [undefined],
  ])('comes back after %o', async (cause) => {
    const batches = follow()
    const first = batches.next()
    client.last.sink.error(cause)
    vi.runOnlyPendingTimers()
    expect(client.subscriptions).toHaveLength(2)
    client.last.sink.next(lines(1))
    expect(sequencesOf((await first).value)).toEqual([1])
    await batches.return?.()
  })

  test('waits as long as the server asks, up to ten minutes', async () => {
    const batches = follow({ maxDelayMs: 1_000 })
    const first = batches.next()
    failWith('DATABASE_UNAVAILABLE', { retryAfterSeconds: 30 })
    expect(retries[0]).toMatchObject({ error: { retryAfterSeconds: 30 } })
    vi.advanceTimersByTime(29_999)
    expect(client.subscriptions).toHaveLength(1)
    vi.runOnlyPendingTimers()
    failWith('DATABASE_UNAVAILABLE', { retryAfterSeconds: 1e12 })
    expect(retries[1]!.delayMs).toBeLessThanOrEqual(601_000)
    await batches.return?.()
    expect(await first).toEqual({ done: true, value: undefined })
  })

  test('gives up where a fault of the server comes again each time, or after as many tries as it was told', async () => {
    const faulty = follow().next()
    for (let attempt = 0; attempt < 6; attempt += 1) {
      failWith('INTERNAL')
      vi.runOnlyPendingTimers()
    }
    await expect(faulty).rejects.toMatchObject({ code: 'INTERNAL' })
    expect(client.subscriptions).toHaveLength(6)
    const bounded = follow({ maxRetries: 1 }).next()
    client.last.sink.error(new Error('the connection broke'))
    vi.runOnlyPendingTimers()
    client.last.sink.error(new Error('the connection broke'))
    await expect(bounded).rejects.toThrow('the connection broke')
  })

  test('gives up a server that answers each try with a batch that brings nothing, and then fails', async () => {
    const batches = follow({}, { id: 's1', after: 'c7' })
    const empty = { data: { consoleMessages: { entries: [], cursor: 'c7', live: false } } }
    const read: unknown[] = []
    const reading = (async () => {
      for await (const batch of batches) read.push(batch)
    })()
    const failure = reading.catch((error: unknown) => error)
    for (let attempt = 0; attempt < 20; attempt += 1) {
      client.last.sink.next(empty)
      failWith('INTERNAL')
      vi.runOnlyPendingTimers()
    }
    expect(client.subscriptions).toHaveLength(6)
    expect(await failure).toMatchObject({ code: 'INTERNAL' })
    expect(retries.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5])
    expect(read).toHaveLength(6)
  })

  test('goes on with pauses that grow where each try advances the cursor and then fails', async () => {
    const batches = follow({ minDelayMs: 100, maxDelayMs: 1_000 })
    for (let sequence = 1; sequence <= 12; sequence += 1) {
      const batch = batches.next()
      client.last.sink.next(lines(sequence))
      expect(sequencesOf((await batch).value)).toEqual([sequence])
      failWith('INTERNAL')
      expect(retries.at(-1)!.attempt).toBe(1)
      expect(retries.at(-1)!.delayMs).toBeGreaterThanOrEqual(Math.min(1_000, 100 * 2 ** (sequence - 1)) / 2)
      vi.runOnlyPendingTimers()
    }
    await batches.return?.()
  })

  test.each([
    ['advanced the cursor', 'c8'],
    ['brought nothing new of a quiet log', 'c7'],
  ])('starts pauses again after a steady subscription, which %s', async (_, cursor) => {
    const batches = follow({ minDelayMs: 100, maxDelayMs: 1_000, maxRetries: 5 }, { id: 's1', after: 'c7' })
    const first = batches.next()
    for (let attempt = 0; attempt < 5; attempt += 1) {
      client.last.sink.error(new Error('the connection broke'))
      vi.runOnlyPendingTimers()
    }
    client.last.sink.next({ data: { consoleMessages: { entries: [], cursor, live: true } } })
    await first
    vi.advanceTimersByTime(1_001)
    client.last.sink.error(new Error('the connection broke'))
    expect(retries.at(-1)!.attempt).toBe(1)
    expect(retries.at(-1)!.delayMs).toBeLessThanOrEqual(100)
    await batches.return?.()
  })

  test('counts a subscription that brought no batch as none, however long it lasted', async () => {
    const first = follow({ maxDelayMs: 1_000, maxRetries: 2 }).next()
    const failure = first.catch((error: unknown) => String(error))
    for (let attempt = 0; attempt < 3; attempt += 1) {
      vi.advanceTimersByTime(60_000)
      client.last.sink.error(new Error('the connection broke'))
      vi.runOnlyPendingTimers()
    }
    expect(await failure).toContain('the connection broke')
    expect(client.subscriptions).toHaveLength(3)
  })

  test('reads the cursor anew where the client itself sends the subscription again', async () => {
    const batches = follow()
    const first = batches.next()
    client.last.sink.next(lines(1, 2))
    await first
    expect(client.last.variables()).toEqual({ id: 's1', after: 'c2' })
    await batches.return?.()
  })

  test('takes no message of a subscription that it has left, and no entry twice', async () => {
    const batches = follow()
    const first = batches.next()
    const [left] = client.subscriptions
    left!.sink.next(lines(1, 2))
    await first
    left!.sink.error(new Error('the connection broke'))
    vi.runOnlyPendingTimers()
    left!.sink.next(lines(3))
    left!.sink.error([{ message: 'no', extensions: { code: 'NOT_FOUND' } }])
    left!.sink.complete()
    const second = batches.next()
    // The abandoned connection delivers late what the new one has already delivered.
    client.last.sink.next(lines(1, 2))
    client.last.sink.next(lines(2, 3, 4))
    expect(sequencesOf((await second).value)).toEqual([3, 4])
    client.last.sink.next(lines(3))
    expect(client.last.variables()).toMatchObject({ after: 'c4' })
    await batches.return?.()
  })

  test('ends with what its caller throws', async () => {
    const first = follow({
      onRetry: () => {
        throw new RangeError('enough')
      },
    }).next()
    client.last.sink.error(new Error('the connection broke'))
    await expect(first).rejects.toThrow('enough')
  })
})

describe('a slow reader', () => {
  test('holds a bounded number of batches: the subscription ends, and is resumed once half of them are read', async () => {
    const batches = follow({ maxBufferedBatches: 4 })
    const first = batches.next()
    const [flood] = client.subscriptions
    for (let sequence = 1; sequence <= 100; sequence += 1) flood!.sink.next(lines(sequence))
    flood!.sink.complete()
    // graphql-ws loses count of its subscriptions if one is ended amid messages that arrived together.
    expect(flood!.isOpen).toBe(true)
    expect(sequencesOf((await first).value)).toEqual([1])
    expect(flood!.isOpen).toBe(false)
    const read: unknown[] = []
    for (let count = 0; count < 2; count += 1) {
      expect(client.subscriptions).toHaveLength(1)
      read.push(sequencesOf((await batches.next()).value))
    }
    expect(client.subscriptions).toHaveLength(2)
    expect(client.last.variables()).toEqual({ id: 's1', after: 'c5' })
    client.last.sink.next(lines(6))
    client.last.sink.complete()
    for await (const batch of batches) read.push(sequencesOf(batch))
    expect(read).toEqual([[2], [3], [4], [5], [6]])
  })

  test('several calls that wait at once are answered in order', async () => {
    const batches = follow()
    const [first, second, third] = [batches.next(), batches.next(), batches.next()]
    client.last.sink.next(lines(1))
    client.last.sink.next(lines(2))
    client.last.sink.complete()
    expect(sequencesOf((await first).value)).toEqual([1])
    expect(sequencesOf((await second).value)).toEqual([2])
    expect(await third).toEqual({ done: true, value: undefined })
  })
})

describe('stopping', () => {
  test('leaving the loop ends the subscription', async () => {
    const reading = (async () => {
      for await (const batch of follow()) return batch
    })()
    client.last.sink.next(lines(1))
    expect(sequencesOf(await reading)).toEqual([1])
    expect(client.last.isOpen).toBe(false)
  })

  test.each(['subscribed', 'pausing'])('return() answers whoever waits, while %s', async (state) => {
    const batches = follow()
    const waiting = batches.next()
    if (state === 'pausing') client.last.sink.error(new Error('the connection broke'))
    expect(await batches.return!()).toEqual({ done: true, value: undefined })
    expect(await waiting).toEqual({ done: true, value: undefined })
    expect(client.last.isOpen).toBe(false)
  })

  test.each(['subscribed', 'pausing'])('a signal ends it with its reason, while %s', async (state) => {
    const stopping = new AbortController()
    const waiting = follow({ signal: stopping.signal }).next()
    if (state === 'pausing') client.last.sink.error(new Error('the connection broke'))
    stopping.abort(new RangeError('enough'))
    await expect(waiting).rejects.toThrow('enough')
    expect(client.last.isOpen).toBe(false)
  })

  test('a signal drops what was received, and one that fired before keeps it from starting', async () => {
    const stopping = new AbortController()
    const batches = follow({ signal: stopping.signal })
    const first = batches.next()
    client.last.sink.next(lines(1))
    client.last.sink.next(lines(2))
    await first
    stopping.abort()
    await expect(batches.next()).rejects.toThrow('aborted')
    await expect(follow({ signal: stopping.signal }).next()).rejects.toThrow('aborted')
    expect(client.subscriptions).toHaveLength(1)
  })

  test('a client that answers before subscribe() returns is left as well', async () => {
    let left = 0
    const prompt = {
      subscribe: (_: unknown, sink: { complete(): void }) => {
        sink.complete()
        return () => void (left += 1)
      },
    }
    const batches = followLog(prompt, WATCH, { id: 's1' })
    expect(await batches.next()).toEqual({ done: true, value: undefined })
    expect(left).toBe(1)
  })
})
