import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { ActionQueue } from '../../src/domain/session/action-queue.ts'
import type { Artifacts } from '../../src/domain/artifacts/artifacts.ts'
import { givenStep } from '../../src/domain/sessions/given-step.ts'
import { SessionActions } from '../../src/domain/session/session-actions.ts'
import { ArtifactRecorder } from '../../src/domain/session/artifact-recorder.ts'
import { createLogger } from '../../src/logger.ts'
import type { ActionErrorCode, ActionOrigin, ActionOutcome } from '../../src/ports/browser/action.ts'
import type { BrowserSession } from '../../src/ports/browser/browser.ts'
import type { LogEntry } from '../../src/ports/log/log-entry.ts'
import type { SessionLog } from '../../src/domain/log/writing/session-log.ts'
import { faultyStore, type Fault } from '../support/faulty-store.ts'
import { history, line, newLog, oneTo, sequences, store, useStore } from '../support/session-log.ts'
import { stepOf } from '../support/take-steps.ts'

useStore()

const API = { origin: 'API' as ActionOrigin, pageId: null, taskId: null, cost: null }
const NEVER = new AbortController().signal

/** A step whose text controls the browser below. */
const pressing = (key: string, timeoutMs = 30_000) => givenStep(stepOf({ press: { key, timeoutMs } }), [])

const outcomeOf = (key: string, code: ActionErrorCode | null): ActionOutcome => ({
  error: code === null ? null : { code, message: 'as told' },
  pageId: 'p1',
  details: { key },
  result: null,
  file: null,
})

/** A browser that takes the given number of turns per step, and detects concurrent steps. */
function slowBrowser() {
  const reported: string[] = []
  const { promise: opened, resolve: open } = Promise.withResolvers<void>()
  let acting = 0
  const act: BrowserSession['act'] = async (step, { signal }) => {
    if (step.name !== 'press') throw new Error('no such step here')
    expect((acting += 1)).toBe(1)
    const { key } = step.input
    reported.push(key)
    const [, turns = '0', fate = ''] = key.split(' ')
    if (fate === 'hang') await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    if (fate === 'gate') await opened
    for (let count = 0; count < Number(turns); count += 1) await turn()
    acting -= 1
    return outcomeOf(key, fate === 'fail' ? 'NOT_FOUND' : fate === 'hang' ? 'TIMEOUT' : null)
  }
  const browser = { act, pages: () => [{ pageId: 'p1', url: '', title: '' }] } as unknown as BrowserSession
  return { browser, reported, open }
}

function actionsOf(log: SessionLog, browser: BrowserSession, queue = new ActionQueue(), requestMs = 30_000) {
  const ending = new AbortController()
  const works: Promise<void>[] = []
  const artifacts = { find: async () => null } as unknown as Artifacts
  const session = { id: log.sessionId, owner: 'ann' }
  const files = new ArtifactRecorder(session, artifacts, (draft) => log.append(draft), createLogger('silent'))
  const host = {
    owner: 'ann',
    log,
    files,
    artifacts,
    refuseAddress: () => null,
    browser: () => browser,
    redacted: <Draft>(draft: Draft) => draft,
    acted: () => undefined,
    occupy: (work: (stopped: AbortSignal) => Promise<void>) => void works.push(work(ending.signal)),
  }
  const end = async () => {
    ending.abort({ reason: 'TERMINATED', error: null })
    await Promise.all(works)
  }
  return { actions: new SessionActions(host, queue, requestMs), end }
}

const codes = (entries: readonly LogEntry<'ACTION'>[]) => entries.map(({ data }) => data.error?.code ?? 'DONE')

test('whatever callers ask for at once: in order, one after the other, answered as it stands in the log', async () => {
  const fate = fc.oneof({ weight: 5, arbitrary: fc.constant('') }, { weight: 1, arbitrary: fc.constant('fail') })
  const steps = fc.array(fc.tuple(fc.nat(3), fate), { minLength: 1, maxLength: 5 })
  const faults = fc.array(fc.constantFrom<Fault>('none', 'none', 'before', 'after'))
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { minLength: 1, maxLength: 5 }), faults, async (requests, failing) => {
      const { log, record, end } = await newLog({ writeStore: faultyStore(store, ['append'], failing) })
      const { browser, reported } = slowBrowser()
      const { actions } = actionsOf(log, browser)
      const named = requests.map((request, caller) =>
        request.map(([turns, how], index) => `${caller}.${index} ${turns} ${how}`),
      )
      const answers = await Promise.all(
        named.map((keys) => {
          log.append(line('meanwhile'))
          const given = keys.map((key) => pressing(key))
          return actions.run(given, API, NEVER)
        }),
      )
      const taken = named.map((keys) => keys.slice(0, keys.findIndex((key) => key.endsWith('fail')) + 1 || keys.length))
      expect(reported).toEqual(taken.flat())
      for (const [caller, keys] of named.entries()) {
        const done = taken[caller]!
        const wanted = keys.map((key, index) =>
          index >= done.length ? 'SKIPPED' : key.endsWith('fail') ? 'NOT_FOUND' : 'DONE',
        )
        expect(codes(answers[caller]!)).toEqual(wanted)
      }
      await end()
      const kept = await history(record.id)
      expect(sequences(kept)).toEqual(oneTo(kept.length))
      expect(kept.filter(({ kind }) => kind === 'ACTION')).toEqual(answers.flat())
      expect(await store.findSession(record.id)).toMatchObject({ actionCount: answers.flat().length })
    }),
    { numRuns: 20 },
  )
})

describe('what stops a request', () => {
  test('a client that goes away cancels what has not begun; the step that has is finished', async () => {
    const { log } = await newLog()
    const { browser, reported, open } = slowBrowser()
    const { actions } = actionsOf(log, browser)
    const client = new AbortController()
    const running = actions.run([pressing('a 0 gate'), pressing('b'), pressing('c')], API, client.signal)
    const waiting = actions.run([pressing('d'), pressing('e')], API, client.signal)
    await vi.waitUntil(() => reported.length === 1)
    client.abort()
    open()
    expect(codes(await running)).toEqual(['DONE', 'CANCELLED', 'CANCELLED'])
    expect(codes(await waiting)).toEqual(['CANCELLED', 'CANCELLED'])
    expect(reported).toEqual(['a 0 gate'])
  })

  test('of a task that is stopped, the running step too is cancelled', async () => {
    const { log } = await newLog()
    const { browser, reported } = slowBrowser()
    const { actions } = actionsOf(log, browser)
    const task = new AbortController()
    const request = {
      ...API,
      origin: 'TASK' as const,
      taskId: 'a task',
      cost: { inputTokens: 1, outputTokens: 2, usd: 3 },
    }
    const running = actions.run([pressing('a 0 hang'), pressing('b')], request, task.signal)
    await vi.waitUntil(() => reported.length === 1)
    task.abort()
    const entries = await running
    expect(codes(entries)).toEqual(['CANCELLED', 'CANCELLED'])
    expect(entries.map(({ data }) => [data.taskId, data.cost?.usd ?? null])).toEqual([
      ['a task', 3],
      ['a task', null],
    ])
  })

  test('the end of the session: the running step is broken off, and all that waits', async () => {
    const { log } = await newLog()
    const { browser, reported } = slowBrowser()
    const { actions, end } = actionsOf(log, browser)
    const running = actions.run([pressing('a 0 hang'), pressing('b')], API, NEVER)
    const waiting = actions.run([pressing('c'), pressing('d')], API, NEVER)
    await vi.waitUntil(() => reported.length === 1)
    await end()
    const [entries, late] = await Promise.all([running, waiting])
    expect([...entries, ...late].map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4])
    expect(codes(entries)).toEqual(['SESSION_ENDED', 'SKIPPED'])
    expect(entries[0]!.data.error!.message).toContain('TERMINATED')
    expect(codes(late)).toEqual(['SESSION_ENDED', 'SKIPPED'])
  })

  test('deadlines: of a step, which its request survives, and of a request, its place in the queue included', async () => {
    const { log } = await newLog()
    const { browser } = slowBrowser()
    const { actions } = actionsOf(log, browser, new ActionQueue(), 200)
    expect(codes(await actions.run([pressing('a 0 hang', 20), pressing('b')], API, NEVER))).toEqual([
      'TIMEOUT',
      'SKIPPED',
    ])
    const long = actions.run([pressing('c 0 hang')], API, NEVER, 10_000)
    const waiting = await actions.run([pressing('d'), pressing('e')], API, NEVER)
    expect(codes(waiting)).toEqual(['TIMEOUT', 'SKIPPED'])
    expect(waiting[0]!.data.error!.message).toContain('queue')
    expect(await Promise.race([long, turn('still running')])).toBe('still running')
  })
})

test('past its length the queue refuses, at once', async () => {
  const queue = new ActionQueue(2)
  const leave = await queue.enter(NEVER)
  const waiting = [queue.enter(NEVER), queue.enter(NEVER)]
  expect(() => queue.enter(NEVER)).toThrow(expect.objectContaining({ code: 'CAPACITY_EXCEEDED' }))
  leave!()
  ;(await waiting[0])!()
  ;(await waiting[1])!()
  expect(await queue.enter(AbortSignal.abort())).toBeNull()
  expect(await queue.enter(NEVER)).not.toBeNull()
})

test('no flood and no limit costs an action its entry, nor its sequence', async () => {
  const action = (number: number) =>
    ({
      kind: 'ACTION',
      at: number,
      data: {
        type: 'PRESS',
        origin: 'API',
        pageId: 'p1',
        startedAt: 0,
        success: true,
        error: null,
        durationMs: 0,
        details: { number },
        result: null,
        artifactId: null,
        taskId: null,
        cost: null,
      },
    }) as const
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(120), { minLength: 1, maxLength: 12 }),
      fc.array(fc.constantFrom<Fault>('none', 'before', 'after'), { maxLength: 5 }),
      async (bursts, faults) => {
        const limits = { maxEntries: 150, maxQueuedEntries: 20 }
        const { log, record, end } = await newLog({ limits, writeStore: faultyStore(store, ['append'], faults) })
        const waiting = bursts.map((lines, number) => {
          for (let count = 0; count < lines; count += 1) log.append(line('flood'))
          return log.commit(action(number))
        })
        const answered = await Promise.all(waiting)
        await end()
        const kept = await history(record.id)
        expect(sequences(kept)).toEqual(oneTo(kept.length))
        expect(kept.filter(({ kind }) => kind === 'ACTION')).toEqual(answered)
        const reported = kept.reduce((sum, entry) => {
          if (entry.kind === 'CONSOLE_MESSAGE') return sum + 1
          return entry.kind === 'ENTRIES_DROPPED' ? sum + (entry.data.count ?? 0) : sum
        }, 0)
        expect(reported).toBe(bursts.reduce((sum, lines) => sum + lines, 0))
      },
    ),
    { numRuns: 25 },
  )
})

test('what is asked for at the very moment of a commit is committed too', async () => {
  const { log, record } = await newLog()
  for (let count = 1; count <= 20; count += 1) {
    const again = Array.from({ length: count }, () => null).reduce<Promise<unknown>>(
      (earlier) => earlier.then(() => null),
      log.commit(line('first')),
    )
    await again
    log.append(line('at once'))
    await log.flush()
  }
  expect(await history(record.id)).toHaveLength(40)
})

test('a log that is lost fails the request instead of inventing a sequence', async () => {
  const never = Array.from({ length: 1000 }, (): Fault => 'before')
  const { log } = await newLog({ writeStore: faultyStore(store, ['append'], never) })
  const { browser, reported } = slowBrowser()
  const { actions } = actionsOf(log, browser)
  const running = actions.run([pressing('a')], API, NEVER)
  await vi.waitUntil(() => reported.length === 1)
  log.abandon()
  await expect(running).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
  expect(await log.commit(line('too late'))).toBeNull()
})
