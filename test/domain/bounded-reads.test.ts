import { describe, expect, test, vi } from 'vitest'
import { encodeEntryCursor } from '../../src/domain/kernel/cursor.ts'
import { DeliveryBudget } from '../../src/domain/log/reading/delivery.ts'
import { LogReader } from '../../src/domain/log/reading/log-reader.ts'
import { OperationReads, RESPONSE_LIMITS, ResponseTooLarge } from '../../src/domain/log/reading/operation-reads.ts'
import type { LogEntry } from '../../src/ports/log/log-entry.ts'
import { ALL, line, newLog, oneTo, sequences, store, useStore } from '../support/session-log.ts'

useStore()

const BATCH_BYTES = 512 * 1024
const CONTROL = '\u0001'.repeat(32_700)
const never = new AbortController().signal

const bytesOf = (entries: readonly LogEntry[]) =>
  entries.reduce((sum, { data }) => sum + Buffer.byteLength(JSON.stringify(data)), 0)

/** A log of lines that take 196 kB of JSON each, more than the tail in memory holds. */
async function largeLog(lines: number, maxTailEntries = 1) {
  const made = await newLog({ limits: { maxTailEntries } })
  for (let count = 0; count < lines; count += 1) made.log.append(line(CONTROL))
  await made.end()
  return { ...made, session: { ...made.session, lastSequence: lines + 1, consoleMessageCount: lines } }
}

describe('a page of a log', () => {
  test('that reaches the bound is short, says so, and the rest follows from its cursor', async () => {
    const { reader, session } = await largeLog(25)
    for (const forward of [true, false]) {
      const seen: LogEntry[] = []
      for (let cursor: string | null = null, more = true, pages = 0; more; pages += 1) {
        const page = await reader.page(session, {
          filter: ALL,
          ...(forward ? { first: 1000, after: cursor } : { last: 1000, before: cursor }),
        })
        expect(bytesOf(page.entries)).toBeLessThanOrEqual(RESPONSE_LIMITS.pageBytes)
        expect(page.entries.length).toBeGreaterThan(0)
        expect(forward ? page.hasPreviousPage : page.hasNextPage).toBe(pages > 0)
        more = forward ? page.hasNextPage : page.hasPreviousPage
        cursor = forward ? page.endCursor : page.startCursor
        const edge = page.entries.at(forward ? -1 : 0)!.sequence
        if (more) expect(cursor).toBe(encodeEntryCursor(session.id, edge))
        if (forward) seen.push(...page.entries)
        else seen.unshift(...page.entries)
      }
      expect(sequences(seen)).toEqual(oneTo(26))
    }
  })

  test('leaves to further pages of the operation what a response may still hold, and then nothing', async () => {
    const { reader, session } = await largeLog(25)
    const reads = new OperationReads()
    const results = await Promise.allSettled(
      oneTo(8).map(() => reader.page(session, { first: 1000, filter: ALL }, reads)),
    )
    const pages = results.filter((result) => result.status === 'fulfilled').map(({ value }) => value)
    const refused = results.filter((result) => result.status === 'rejected')
    expect(pages.reduce((sum, { entries }) => sum + bytesOf(entries), 0)).toBeLessThanOrEqual(
      RESPONSE_LIMITS.responseBytes + bytesOf(pages[0]!.entries.slice(0, 1)),
    )
    expect(refused.length).toBeGreaterThan(0)
    for (const { reason } of refused) expect(reason).toBeInstanceOf(ResponseTooLarge)
  })

  test('is not read for who has left', async () => {
    const { reader, session } = await newLog()
    const readEntries = vi.spyOn(store, 'readEntries')
    const reads = new OperationReads({ signal: AbortSignal.abort(new Error('left')) })
    await expect(reader.page(session, { filter: ALL }, reads)).rejects.toThrow('left')
    expect(readEntries.mock.calls.filter(([{ sessionId }]) => sessionId === session.id)).toEqual([])
    readEntries.mockRestore()
  })

  test('is counted for as long as somebody waits, and not without end', async () => {
    const { log, bus, session, end } = await newLog()
    for (let count = 0; count < 2100; count += 1) log.append(line('x'))
    await end()
    const filter = { kinds: ['CONSOLE_MESSAGE'], console: { textContains: 'not there' } } as const
    const impatient = new LogReader(store, bus, async () => null, undefined, 0)
    const page = await impatient.page({ ...session, lastSequence: 2101 }, { first: 1, filter })
    await expect(page.totalCount()).rejects.toMatchObject({ code: 'TIMEOUT' })
    const leaving = new AbortController()
    const patient = new LogReader(store, bus, async () => null)
    const reads = new OperationReads({ signal: leaving.signal })
    const left = await patient.page({ ...session, lastSequence: 2101 }, { first: 1, filter }, reads)
    leaving.abort(new Error('left'))
    await expect(left.totalCount()).rejects.toThrow('left')
  })
})

describe('readers that do not read', () => {
  test.each([
    ['of the stored log', 1],
    ['of the end of the log in memory', 1000],
  ])(
    '%s hold a few batches of their connection, however many they are',
    async (_, maxTailEntries) => {
      const { reader, session } = await largeLog(12, maxTailEntries)
      const budget = new DeliveryBudget()
      const space = budget.open('ann', () => expect.unreachable())
      const followers = Array.from({ length: 30 }, () => reader.follow(session, { filter: ALL }, never, space))
      const batches = followers.map((follower) => follower.next())
      await expect.poll(() => budget.total).toBeGreaterThan(budget.limits.connectionBytes - BATCH_BYTES)
      expect(budget.total).toBeLessThanOrEqual(2 * budget.limits.connectionBytes)
      // Active readers still get it, in turns.
      const seen = await Promise.all(
        followers.map(async (follower, index) => {
          const entries = [...(await batches[index]!).value!.entries]
          for await (const batch of follower) {
            expect(bytesOf(batch.entries)).toBeLessThan(4 * BATCH_BYTES)
            entries.push(...batch.entries)
          }
          return sequences(entries)
        }),
      )
      for (const of of seen) expect(of).toEqual(oneTo(13))
      expect(budget.total).toBe(0)
      space.close()
    },
    60_000,
  )

  test('are not read for any more once they are gone', async () => {
    const { reader, session } = await largeLog(12)
    const readEntries = vi.spyOn(store, 'readEntries')
    const budget = new DeliveryBudget()
    const space = budget.open('ann', () => {})
    const leaving = new AbortController()
    const followers = Array.from({ length: 200 }, () => reader.follow(session, { filter: ALL }, leaving.signal, space))
    const batches = followers.map((follower) => follower.next())
    await batches[0]
    leaving.abort()
    space.close()
    const begun = readEntries.mock.calls.length
    await Promise.all(batches)
    expect(readEntries.mock.calls.length).toBe(begun)
    expect(begun).toBeLessThan(50)
    expect(budget.total).toBe(0)
    readEntries.mockRestore()
  })
})
