import { getEventListeners, once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Deadline } from '../../src/async/deadline.ts'

const never = new Promise<never>(() => {})
const LONG_MS = 600_000

/** Timers and immediates that keep the process waiting. */
const pending = () => process.getActiveResourcesInfo().filter((name) => /^(Timeout|Immediate)$/.test(name)).length

describe('the result of work', () => {
  test('is handed over where it comes in time', async () => {
    using deadline = new Deadline(LONG_MS)
    expect(await deadline.race(Promise.resolve('done'))).toBe('done')
    expect(await deadline.result(Promise.resolve('done'))).toBe('done')
    expect(await deadline.isMet(Promise.resolve())).toBe(true)
    expect(deadline.signal.aborted).toBe(false)
    expect(deadline.hasExpired).toBe(false)
  })

  test('rejects as the work does', async () => {
    const failed = new Error('failed')
    using deadline = new Deadline(LONG_MS)
    await expect(deadline.race(Promise.reject(failed))).rejects.toBe(failed)
    await expect(deadline.result(Promise.reject(failed))).rejects.toBe(failed)
    await expect(deadline.isMet(Promise.reject(failed))).rejects.toBe(failed)
  })

  test('that was there before counts even where no time is left', async () => {
    expect(await Deadline.result(Promise.resolve('done'), 0)).toBe('done')
    expect(await Deadline.result(Promise.resolve('done'), -1)).toBe('done')
  })
})

describe('expiry', () => {
  test('gives the work up, aborts the signal and tells so', async () => {
    using deadline = new Deadline(1)
    await expect(deadline.race(never)).rejects.toMatchObject({ name: 'TimeoutError', message: 'Timed out after 1 ms.' })
    expect(await deadline.result(never)).toBeNull()
    expect(await deadline.isMet(never)).toBe(false)
    expect(deadline.signal.aborted).toBe(true)
    expect(deadline.hasExpired).toBe(true)
    expect(deadline.remainingMs).toBe(0)
  })

  test('has the reason of its owner', async () => {
    const late = new Error('late')
    using deadline = new Deadline(1, [], () => late)
    await expect(deadline.race(never)).rejects.toBe(late)
  })

  test('does not come without a limit, or within the longest timer', async () => {
    using endless = new Deadline(Number.POSITIVE_INFINITY)
    using long = new Deadline(Number.MAX_SAFE_INTEGER)
    await Deadline.isMet(never, 5)
    expect([endless.signal.aborted, long.signal.aborted]).toEqual([false, false])
    expect(endless.remainingMs).toBe(Number.POSITIVE_INFINITY)
    expect(long.remainingMs).toBeGreaterThan(LONG_MS)
  })

  test('lets what has arrived be handled first, where the process stood still past it', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1').pause()
    onTestFinished(() => void client.destroy())
    const [peer] = (await once(server, 'connection')) as [Socket]
    await new Promise((written) => peer.end('in time', () => written(null)))
    const answer = once(client, 'data').then(([data]) => String(data))
    client.resume()
    using deadline = new Deadline(1)
    const until = performance.now() + 50
    while (performance.now() < until);
    expect(await deadline.result(answer)).toBe('in time')
  })
})

describe('a signal', () => {
  test('ends the wait with its reason, which is no expiry', async () => {
    const stop = new AbortController()
    const why = new Error('stopped')
    using deadline = new Deadline(LONG_MS, [new AbortController().signal, stop.signal])
    const waiting = deadline.race(never)
    stop.abort(why)
    await expect(waiting).rejects.toBe(why)
    expect(deadline.signal.reason).toBe(why)
    expect(deadline.hasExpired).toBe(false)
  })

  test('that was aborted before lets nothing be waited for, not even what is done', async () => {
    const signal = AbortSignal.abort(new Error('stopped'))
    await expect(Deadline.race(Promise.resolve('done'), signal)).rejects.toThrow('stopped')
    expect(await Deadline.result(Promise.resolve('done'), LONG_MS, signal)).toBeNull()
    expect(await Deadline.isMet(Promise.resolve(), LONG_MS, signal)).toBe(false)
  })
})

describe('nothing is left behind', () => {
  test('when it is disposed of: neither a timer nor a listener, and it no longer expires', async () => {
    const before = pending()
    const deadline = new Deadline(1, [new AbortController().signal])
    expect(await deadline.isMet(Promise.resolve())).toBe(true)
    expect(getEventListeners(deadline.signal, 'abort')).toEqual([])
    deadline[Symbol.dispose]()
    expect(pending()).toBe(before)
    await Deadline.isMet(never, 5)
    expect(deadline.signal.aborted).toBe(false)
  })

  test('however the wait ends: by the work, its failure, expiry or a signal', async () => {
    const stop = new AbortController()
    await Deadline.result(never, 1, stop.signal)
    // No turn of the event loop from here on, in which a timer of the test runner may end.
    const before = pending()
    await Deadline.result(Promise.resolve(), LONG_MS, stop.signal)
    await Deadline.result(Promise.reject(new Error('failed')), LONG_MS, stop.signal).catch(() => undefined)
    const waiting = Deadline.isMet(never, LONG_MS, stop.signal)
    stop.abort()
    await waiting
    expect(pending()).toBe(before)
    expect(getEventListeners(stop.signal, 'abort')).toEqual([])
  })

  test('no rejection without an owner, where the work fails after it was given up', async () => {
    const faults: unknown[] = []
    const note = (fault: unknown) => faults.push(fault)
    process.on('unhandledRejection', note)
    onTestFinished(() => void process.off('unhandledRejection', note))
    const { promise, reject } = Promise.withResolvers<never>()
    expect(await Deadline.result(promise, 1)).toBeNull()
    await expect(Deadline.race(promise, AbortSignal.abort(new Error('stopped')))).rejects.toThrow('stopped')
    reject(new Error('too late'))
    await Deadline.isMet(never, 5)
    expect(faults).toEqual([])
  })
})
