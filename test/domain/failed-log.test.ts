import { describe, expect, test } from 'vitest'
import { terminateSession } from '../../src/domain/sessions/session-requests.ts'
import type { LogEntry } from '../../src/ports/log/log-entry.ts'
import type { Store } from '../../src/ports/store/store.ts'
import { OWNER, useLiveSessions } from '../support/live-sessions.ts'
import { NO_DEADLINE } from '../support/time-limits.ts'
import { history, line, newLog, oneTo, sequences, store, useStore } from '../support/session-log.ts'

/** Logs that cannot continue: the store fails permanently, or another writer has taken over. */

useStore()

/** The real store, whose `append` throws like a faulty encoder while `fails` is set. */
function withFaultyAppend(fails: (entries: readonly LogEntry[]) => boolean, patchFails = false): Store {
  return new Proxy(store, {
    get(target, property) {
      const member: unknown = Reflect.get(target, property, target)
      if (typeof member !== 'function') return member
      return (...args: unknown[]): unknown => {
        const isFaulty =
          property === 'append' ? fails(args[2] as LogEntry[]) : property === 'patchSession' && patchFails
        if (isFaulty) return Promise.reject(new TypeError('the encoder is broken'))
        return Reflect.apply(member, target, args)
      }
    },
  })
}

const isPoison = (entry: LogEntry) => entry.kind === 'CONSOLE_MESSAGE' && entry.data.text === 'poison'

describe('an error of the store that is not its absence', () => {
  test('is not tried again: the entry is counted in its place, its neighbours are kept, and the session is told', async () => {
    const { log, record, failed, lost, end } = await newLog({
      writeStore: withFaultyAppend((entries) => entries.some(isPoison)),
    })
    for (let count = 1; count <= 20; count += 1) log.append(line(count === 7 ? 'poison' : `line ${count}`))
    await log.flush()
    expect(failed).toHaveBeenCalledOnce()
    await end()
    const kept = await history(record.id)
    expect(sequences(kept)).toEqual(oneTo(21))
    expect(kept[6]).toMatchObject({
      kind: 'ENTRIES_DROPPED',
      data: { reason: 'UNSTORABLE', count: 1, countsByKind: { CONSOLE_MESSAGE: 1 } },
    })
    expect(kept.at(-1)?.kind).toBe('STATUS_CHANGE')
    expect(lost).not.toHaveBeenCalled()
  })

  test('that passes while the session ends: the log ends with what is missing and the final status', async () => {
    let isBroken = true
    const { log, record, failed, lost, end } = await newLog({ writeStore: withFaultyAppend(() => isBroken) })
    for (let count = 1; count <= 5; count += 1) log.append(line(`line ${count}`))
    await log.flush()
    expect([failed.mock.calls.length, lost.mock.calls.length]).toEqual([1, 1])
    isBroken = false
    await end()
    expect(await history(record.id)).toMatchObject([
      { sequence: 1, kind: 'ENTRIES_DROPPED', data: { reason: 'UNSTORABLE', count: 5 } },
      { sequence: 2, kind: 'STATUS_CHANGE' },
    ])
    expect(log.head).toEqual({ lastSequence: 2, ended: true })
  })

  test('what had been dropped before, and what comes until the end, is counted with what was waiting', async () => {
    let isBroken = true
    const { log, record, lost, end } = await newLog({
      limits: { maxQueuedEntries: 10 },
      writeStore: withFaultyAppend(() => isBroken),
    })
    for (let count = 1; count <= 30; count += 1) log.append(line(`line ${count}`))
    // One that is never dropped puts a marker of those above the queue before itself.
    log.append({ kind: 'CLIENT_ATTACHED', at: Date.now(), data: { clientId: 1, name: 'a client' } })
    for (let count = 1; count <= 30; count += 1) log.append(line(`another ${count}`))
    await log.flush()
    expect(lost).toHaveBeenCalledOnce()
    log.append(line('late'))
    log.miss('NETWORK_REQUEST', 'FLOOD')
    expect(await log.commit(line('awaited'))).toBeNull()
    isBroken = false
    await end()
    const countsByKind = { CONSOLE_MESSAGE: 62, CLIENT_ATTACHED: 1, NETWORK_REQUEST: 1 }
    expect(await history(record.id)).toMatchObject([
      { sequence: 1, kind: 'ENTRIES_DROPPED', data: { reason: 'UNSTORABLE', count: 64, countsByKind } },
      { sequence: 2, kind: 'STATUS_CHANGE' },
    ])
  })

  test('at the end itself: the final status is tried once more, and not counted as missing', async () => {
    // The batch, the line alone, and what is to take its place.
    let attempts = 0
    const { log, record, end } = await newLog({ writeStore: withFaultyAppend(() => (attempts += 1) < 4) })
    log.append(line('unheard'))
    await end()
    expect(await history(record.id)).toMatchObject([
      { kind: 'ENTRIES_DROPPED', data: { count: 1, countsByKind: { CONSOLE_MESSAGE: 1 } } },
      { kind: 'STATUS_CHANGE' },
    ])
  })

  test('that lasts: the row says how the session ended, and nothing waits', async () => {
    const { log, record, end } = await newLog({ writeStore: withFaultyAppend(() => true) })
    log.append(line('unheard'))
    await end()
    expect(await store.findSession(record.id)).toMatchObject({ status: 'CLOSED', endReason: 'TERMINATED' })
    const { log: other, end: endOther } = await newLog({ writeStore: withFaultyAppend(() => true, true) })
    other.append(line('unheard'))
    await endOther()
    expect(other.head.ended).toBe(false)
  })
})

describe('a live session', () => {
  const { sessionsOver, browsers } = useLiveSessions()

  test('whose log fails ends as FAILED / INTERNAL_ERROR at once; its followers see that, the others nothing', async () => {
    const { sessions, logOf, start, find, follow } = sessionsOver(withFaultyAppend((entries) => entries.some(isPoison)))
    const [victim, other] = [await start(), await start()]
    const following = follow(victim)
    const log = await logOf(victim.id)
    log.append(line('poison'))
    expect((await following).filter(({ kind }) => kind !== 'PAGE_OPENED').slice(-2)).toMatchObject([
      { kind: 'ENTRIES_DROPPED', data: { reason: 'UNSTORABLE', count: 1 } },
      { kind: 'STATUS_CHANGE', data: { to: 'FAILED', endReason: 'INTERNAL_ERROR' } },
    ])
    expect(await find(victim.id)).toMatchObject({ status: 'FAILED', endReason: 'INTERNAL_ERROR' })
    expect(await find(other.id)).toMatchObject({ status: 'RUNNING' })
    expect(browsers()).toHaveLength(1)
    await terminateSession(sessions, OWNER, other.id)
  })

  test('whose log another writer has taken over does not go on: its browser is ended, its followers read what that wrote', async () => {
    const { sessions, logOf, start, find, follow } = sessionsOver(store)
    const session = await start()
    expect(browsers()).toHaveLength(1)
    const changes = await sessions.changes(OWNER, session.id, NO_DEADLINE)
    const following = follow(session)
    // Like the next start of a server whose predecessor is still alive.
    const { lastSequence } = (await store.findSession(session.id))!
    const status = { status: 'FAILED', endReason: 'MACHINE_LOST' } as const
    const data = { from: 'RUNNING', to: 'FAILED', endReason: 'MACHINE_LOST', error: 'taken over' } as const
    const final = { kind: 'STATUS_CHANGE', sequence: lastSequence + 1, at: Date.now(), data } as const
    await store.append(session.id, lastSequence, [final], { ...status, endedAt: Date.now() })
    const log = await logOf(session.id)
    log.append(line('to nobody'))
    expect((await following).at(-1)).toEqual(final)
    await expect.poll(browsers).toEqual([])
    for await (const { status: reported } of changes) if (reported === 'FAILED') break
    expect(await sessions.handle(session.id)).toBeNull()
    expect(await find(session.id)).toMatchObject(status)
    expect(await sessions.capacity()).toMatchObject({ live: 0 })
    expect(await history(session.id)).not.toContainEqual(expect.objectContaining({ kind: 'CONSOLE_MESSAGE' }))
  })
})
