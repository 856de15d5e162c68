import { expect, test } from 'vitest'
import { NotFound } from '../../src/domain/kernel/errors.ts'
import { SessionNotRunning } from '../../src/domain/kernel/session-state.ts'
import { HandleSet, type HandleAnswers, type RemoteSet } from '../../src/domain/sessions/handle-set.ts'
import type { SessionHandle } from '../../src/domain/sessions/session-handle.ts'
import { createLogger } from '../../src/logger.ts'

const PAGES = [{ pageId: 'p1', url: 'about:blank', title: '' }]

const handle = (sessionId: string, pages: SessionHandle['pages']) => ({ sessionId, pages }) as SessionHandle
const ask = (handles: SessionHandle[], answerMs?: number) =>
  new HandleSet(handles, createLogger('silent'), answerMs).pages()

test('a question has the answer of each session, however long the others take', async () => {
  const slow = Promise.withResolvers<typeof PAGES>()
  const asked = ask([handle('quick', async () => PAGES), handle('slow', () => slow.promise)], 600_000)
  slow.resolve([])
  expect(Object.fromEntries(await asked)).toEqual({ quick: PAGES, slow: [] })
})

test('sessions that do not answer before the deadline are null, and their late answers change nothing', async () => {
  const late = Promise.withResolvers<typeof PAGES>()
  const answers = await ask([handle('quick', async () => PAGES), handle('late', () => late.promise)], 1)
  late.resolve(PAGES)
  await late.promise
  expect(Object.fromEntries(answers)).toEqual({ quick: PAGES, late: null })
})

test('a session that has ended meanwhile is missing; one that fails otherwise is null', async () => {
  const ended = handle('ended', () => Promise.reject(new SessionNotRunning()))
  const failing = handle('failing', () => Promise.reject(new NotFound('page')))
  expect(Object.fromEntries(await ask([ended, failing]))).toEqual({ failing: null })
})

test('sessions of another machine are asked together, in less time; each is null if it does not respond', async () => {
  const asked: unknown[] = []
  const remote = (sessionIds: string[], theirs: Promise<HandleAnswers<never>>): RemoteSet => ({
    sessionIds,
    ask: async (question, answerMs) => {
      asked.push([sessionIds, question, answerMs < 600_000])
      return await theirs
    },
  })
  const answers = new Map([
    ['there', PAGES],
    ['late', null],
  ]) as HandleAnswers<never>
  const sets = [
    remote(['there', 'late', 'ended'], Promise.resolve(answers)),
    remote(['gone', 'gone too'], Promise.reject(new NotFound('machine'))),
  ]
  const set = new HandleSet([handle('here', async () => PAGES)], createLogger('silent'), 600_000, sets)
  expect(Object.fromEntries(await set.pages())).toEqual({
    here: PAGES,
    there: PAGES,
    late: null,
    gone: null,
    'gone too': null,
  })
  expect(asked).toEqual([
    [['there', 'late', 'ended'], 'pages', true],
    [['gone', 'gone too'], 'pages', true],
  ])
})

test('a machine that does not respond keeps nobody waiting beyond the deadline', async () => {
  const silent: RemoteSet = { sessionIds: ['there'], ask: () => new Promise(() => {}) }
  const set = new HandleSet([handle('here', async () => PAGES)], createLogger('silent'), 1, [silent])
  expect(Object.fromEntries(await set.pages())).toEqual({ here: PAGES, there: null })
})
