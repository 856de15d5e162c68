import { EventEmitter } from 'node:events'
import type { BrowserContext, Dialog, Page } from 'playwright'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Dialogs } from '../../../src/adapters/playwright/actions/site/dialogs.ts'
import { logger } from './test-pool.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

type Listener = (event: { type: string; message: string }, sessionId: string) => void

/** A page p1, its popup p2, and a popup p3 of that; Playwright has a page for the first alone. */
function scene() {
  const events = new EventEmitter()
  const closed: unknown[] = []
  const connection = {
    on: (name: string, listener: Listener) => void events.on(name, listener),
    notify: (...command: unknown[]) => void closed.push(command),
    barrier: { whenResumed: () => null },
  }
  const tracked = (pageId: string, ...openerPageIds: string[]) => ({
    page: { pageId, openerPageIds, targetId: `target of ${pageId}` },
  })
  const pages = [tracked('p1'), tracked('p2', 'p1'), tracked('p3', 'p2', 'p1')]
  const targets = { source: (id: string) => pages[Number(id.slice(1)) - 1] }
  const context = Object.assign(new EventEmitter(), { pages: () => [], browser: () => null })
  const dialogs = new Dialogs(context as unknown as BrowserContext, targets as never, connection as never, logger)
  const busy = { work: Promise.resolve() }
  const page = Object.assign(new EventEmitter(), { evaluate: () => busy.work }) as unknown as Page
  return {
    dialogs,
    /** The page answers nothing until then. */
    worksUntil: (work: Promise<void>) => void (busy.work = work),
    page,
    close: (dialog: Dialog) => void context.emit('dialogclosed', dialog),
    /** Commands that closed dialogs which Playwright does not report. */
    closed,
    /** One that Playwright does not report. */
    openUnreported: (sessionId: 's1' | 's2', type: string) =>
      void events.emit('Page.javascriptDialogOpening', { type, message: 'Sure?' }, sessionId),
    closeUnreported: (sessionId: 's1' | 's2') =>
      void events.emit('Page.javascriptDialogClosed', { result: true }, sessionId),
    open(sessionId: 's1' | 's2' | 's3', type = 'confirm', beforeReport = () => {}) {
      const answers: string[] = []
      events.emit('Page.javascriptDialogOpening', { type, message: 'Sure?' }, sessionId)
      beforeReport()
      const answer = (word: string) => () => Promise.resolve(void answers.push(word))
      const dialog = {
        page: () => (sessionId === 's1' ? page : null),
        type: () => type,
        message: () => 'Sure?',
        defaultValue: () => '',
        accept: answer('yes'),
        dismiss: answer('no'),
        _connection: {
          toImpl: () => ({ page: () => ({ delegate: { _targetId: `target of p${sessionId.slice(1)}` } }) }),
        },
      } as unknown as Dialog
      context.emit('dialog', dialog)
      return { dialog, answers }
    },
  }
}

/** When and how an unanswered dialog ends, in milliseconds. */
async function endOf({ answers }: { answers: string[] }): Promise<[number, string | undefined]> {
  const started = Date.now()
  for (let waited = 0; waited < 60_000 && answers.length === 0; waited += 500) await vi.advanceTimersByTimeAsync(500)
  return [Date.now() - started, answers[0]]
}

test('what a page opens by itself waits for a second, with a client attached for five', async () => {
  const { dialogs, open } = scene()
  expect(await endOf(open('s1'))).toEqual([1_000, 'no'])
  dialogs.leaveToClient()
  expect(await endOf(open('s1'))).toEqual([5_000, 'no'])
})

test('what follows a client’s input waits for half a minute, in the popups of the page too', async () => {
  const { dialogs, open } = scene()
  const { client } = dialogs.leaveToClient()
  client.acted('p1')
  expect(await endOf(open('s1'))).toEqual([30_000, 'no'])
  client.acted('p1')
  expect(await endOf(open('s2'))).toEqual([30_000, 'no'])
  client.acted('p1')
  expect(await endOf(open('s3'))).toEqual([30_000, 'no'])
  client.acted('p2')
  await vi.advanceTimersByTimeAsync(11_000)
  expect(await endOf(open('s2'))).toEqual([5_000, 'no'])
  client.acted('p2')
  expect(await endOf(open('s1'))).toEqual([5_000, 'no'])
})

test('a popup that nobody can answer for does not wait, unless a client is attached', async () => {
  const { dialogs, open, close } = scene()
  expect(await endOf(open('s2'))).toEqual([0, 'no'])
  dialogs.leaveToClient()
  const answered = open('s2')
  const later = open('s2')
  close(answered.dialog)
  expect(await endOf(later)).toEqual([5_000, 'no'])
  expect(answered.answers).toEqual([])
})

test('leaving a page is a client’s to refuse, and accepted when it does not answer', async () => {
  const { dialogs, open, close } = scene()
  expect(await endOf(open('s1', 'beforeunload'))).toEqual([0, 'yes'])
  const { client, leave } = dialogs.leaveToClient()
  expect(await endOf(open('s1', 'beforeunload'))).toEqual([5_000, 'yes'])
  client.acted('p1')
  const refused = open('s1', 'beforeunload')
  close(refused.dialog)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(refused.answers).toEqual([])
  leave()
  expect(await endOf(open('s1', 'beforeunload'))).toEqual([0, 'yes'])
})

test('a step that leaves a page is not held up by an attached client', async () => {
  const { dialogs, open, page } = scene()
  dialogs.leaveToClient()
  const { stop } = dialogs.watch(page)
  expect(await endOf(open('s1', 'beforeunload'))).toEqual([0, 'yes'])
  stop()
})

test('a dialog does not outwait the client that it waits for', async () => {
  const { dialogs, open } = scene()
  const first = dialogs.leaveToClient()
  const second = dialogs.leaveToClient()
  first.client.acted('p1')
  const mine = open('s1')
  first.leave()
  expect(await endOf(mine)).toEqual([5_000, 'no'])
  const anyones = open('s1')
  await vi.advanceTimersByTimeAsync(4_500)
  second.leave()
  expect(await endOf(anyones)).toEqual([500, 'no'])
  expect(vi.getTimerCount()).toBe(0)
})

test('the next dialog of a page that is busy after the first is told with it, and left to the next step', async () => {
  const { dialogs, open, page, worksUntil } = scene()
  const { stop } = dialogs.watch(page)
  open('s1')
  stop()
  const work = Promise.withResolvers<void>()
  worksUntil(work.promise)
  const answering = dialogs.answer(page, { accept: true, promptText: null })
  await vi.advanceTimersByTimeAsync(3_000)
  const second = open('s1')
  expect(await answering).toMatchObject({ next: second.dialog })
  expect(await endOf(second)).toEqual([30_000, 'no'])
  // One that never answers is not waited for without end.
  const { stop: stopAgain } = dialogs.watch(page)
  open('s1')
  stopAgain()
  const last = dialogs.answer(page, { accept: true, promptText: null })
  await vi.advanceTimersByTimeAsync(6_000)
  expect(await last).toMatchObject({ next: null })
})

test('one that Playwright does not report is closed when nobody has answered in time', async () => {
  const { dialogs, openUnreported, closeUnreported, closed } = scene()
  openUnreported('s2', 'prompt')
  await vi.advanceTimersByTimeAsync(1_001)
  expect(closed).toEqual([['Page.handleJavaScriptDialog', { accept: false }, 's2']])
  dialogs.leaveToClient()
  openUnreported('s2', 'beforeunload')
  await vi.advanceTimersByTimeAsync(4_000)
  expect(closed).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(1_001)
  expect(closed.at(-1)).toEqual(['Page.handleJavaScriptDialog', { accept: true }, 's2'])
  openUnreported('s2', 'prompt')
  // A client has answered.
  closeUnreported('s2')
  await vi.advanceTimersByTimeAsync(60_000)
  expect(closed).toHaveLength(2)
})

test('one that Playwright reports is left to those who answer it', async () => {
  const { dialogs, open, closed, page } = scene()
  dialogs.watch(page)
  expect(await endOf(open('s1'))).toEqual([30_000, 'no'])
  expect(closed).toEqual([])
})

test('of two that look the same, the one that Playwright does not report is closed, and the other left to its client', async () => {
  const { dialogs, open, openUnreported, closed } = scene()
  const { client } = dialogs.leaveToClient()
  client.acted('p1')
  // The popup asks by the time that Playwright reports what the page asks.
  const asked = open('s1', 'confirm', () => openUnreported('s2', 'confirm'))
  expect(await endOf(asked)).toEqual([30_000, 'no'])
  expect(closed).toEqual([['Page.handleJavaScriptDialog', { accept: false }, 's2']])
})

test('one that follows no input is not taken for one that does and was never reported', async () => {
  const { dialogs, open, openUnreported } = scene()
  const { client } = dialogs.leaveToClient()
  client.acted('p2')
  openUnreported('s2', 'confirm')
  expect(await endOf(open('s1'))).toEqual([5_000, 'no'])
})
