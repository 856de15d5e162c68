import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { BrowserOptions, BrowserSession } from '../../../src/ports/browser/browser.ts'
import { NO_DEADLINE } from '../../support/time-limits.ts'
import { startStorageSite, type StorageSite } from '../../support/site-storage.ts'
import { take } from '../../support/take-steps.ts'
import type { RecordingRecorder } from './recording-recorder.ts'
import { startTestPool, type TestPool } from './test-pool.ts'

let testPool: TestPool
let one: StorageSite
let other: StorageSite
let sessions: BrowserSession[] = []

beforeAll(async () => {
  testPool = await startTestPool({ warm: 0 })
})

afterAll(() => testPool.close())

beforeEach(async () => {
  one = await startStorageSite()
  other = await startStorageSite('localhost')
})

afterEach(async () => {
  for (const session of sessions) await session.close(1_000)
  sessions = []
  await one.close()
  await other.close()
})

const start = async (options: Partial<BrowserOptions> = {}) => {
  const started = await testPool.start(options)
  sessions.push(started.session)
  return started
}
const visit = async (session: BrowserSession, url: string, shows: string) => {
  expect((await take(session, { navigate: { url } })).error).toBeNull()
  expect((await take(session, { wait: { target: { text: shows } } })).error).toBeNull()
}
const reported = ({ drafts }: RecordingRecorder) =>
  drafts.map(({ kind }) => kind).filter((kind) => kind !== 'CONSOLE_MESSAGE')
const opened = (recorder: RecordingRecorder) => recorder.of('PAGE_OPENED').map(({ pageId }) => pageId)

test('reading origins that no page shows any more is told nowhere, and asks neither sites nor their workers', async () => {
  const { session, recorder } = await start()
  await visit(session, `${one.url}/worker`, 'controlled')
  await visit(session, `${other.url}/store`, 'stored')
  await session.flush(1_000)
  const before = {
    reported: reported(recorder),
    one: [...one.asked],
    other: [...other.asked],
    changes: recorder.pagesChanges,
  }
  const state = await session.storageState(NO_DEADLINE)
  await session.flush(1_000)
  const kept = { localStorage: [{ name: 'key', value: 'kept' }] }
  expect(state).toMatchObject({
    origins: expect.arrayContaining([
      expect.objectContaining({ origin: one.url, ...kept }),
      expect.objectContaining({ origin: other.url, ...kept }),
    ]) as unknown,
  })
  expect({ reported: reported(recorder), one: one.asked, other: other.asked, changes: recorder.pagesChanges }).toEqual(
    before,
  )
  expect(recorder.texts()).toEqual([])
  expect(session.pages().map(({ pageId }) => pageId)).toEqual(['p1'])

  const next = await start({ storageState: state })
  await next.session.flush(1_000)
  expect(reported(next.recorder)).toEqual(['PAGE_OPENED'])
  expect(next.session.pages().map(({ pageId }) => pageId)).toEqual(['p1'])
  expect({ one: one.asked, other: other.asked }).toEqual({ one: before.one, other: before.other })
  await visit(next.session, `${other.url}/store`, 'stored')
  await next.session.storageState(NO_DEADLINE)
  await next.session.flush(1_000)
  expect(next.recorder.of('NETWORK_REQUEST').map(({ url }) => url)).toEqual([`${other.url}/store`])
})

test('a read that a page held up disturbs nobody when it goes on', async () => {
  const { session, recorder } = await start()
  await visit(session, `${other.url}/store`, 'stored')
  expect((await take(session, { navigate: { url: `${one.url}/waits` } })).error).toBeNull()
  await expect.poll(() => one.asked).toContain('/held')
  await expect(session.storageState(AbortSignal.timeout(100))).rejects.toThrow()
  // The session continues in the meantime: pages that it opens are reported.
  const { pageId } = await take(session, { openPage: { url: `${other.url}/store` } })
  expect(pageId).toBe('p2')
  one.release()
  expect(await session.storageState(NO_DEADLINE)).toMatchObject({
    origins: [{ origin: one.url }, { origin: other.url }],
  })
  expect((await take(session, { openPage: {} })).pageId).toBe('p3')
  await session.flush(1_000)
  expect(opened(recorder)).toEqual(['p1', 'p2', 'p3'])
  expect(recorder.of('PAGE_CLOSED')).toEqual([])
  expect(session.pages().map(({ pageId: id }) => id)).toEqual(['p1', 'p2', 'p3'])
})

test('pages that a page opens while it is read are told', async () => {
  const { session, recorder } = await start()
  await visit(session, `${one.url}/store`, 'stored')
  expect((await take(session, { navigate: { url: `${other.url}/waits` } })).error).toBeNull()
  await expect.poll(() => other.asked).toContain('/held')
  const reading = session.storageState(NO_DEADLINE)
  const { pageId } = await take(session, { openPage: { url: `${one.url}/other` } })
  expect((await take(session, { click: { target: { css: '#popup' } } }, { pageId })).error).toBeNull()
  await expect.poll(() => opened(recorder)).toEqual(['p1', 'p2', 'p3'])
  other.release()
  await reading
  await session.flush(1_000)
  expect(opened(recorder)).toEqual(['p1', 'p2', 'p3'])
  expect(recorder.of('PAGE_OPENED')[2]).toMatchObject({ openerPageId: 'p2' })
  expect(recorder.requestsTo(`${one.url}/other`)).toHaveLength(2)
})
