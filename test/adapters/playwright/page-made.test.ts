import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { BrowsersDirectory } from '../../../src/adapters/playwright/launch/browsers-directory.ts'
import { createBrowserPipes } from '../../../src/adapters/playwright/cdp/pipe/browser-pipes.ts'
import { findBrowserExecutable } from '../../../src/adapters/playwright/launch/browser-executable.ts'
import { PlaywrightSession } from '../../../src/adapters/playwright/session/browser-session.ts'
import { DEFAULT_OPTIONS, openBrowser } from '../../../src/adapters/playwright/launch/open-browser.ts'
import { RecorderSet } from '../../../src/adapters/playwright/recorders/recorder-set.ts'
import { CaptureSet } from '../../../src/adapters/playwright/captures/capture-set.ts'
import { TargetRegistry } from '../../../src/adapters/playwright/cdp/targets/target-registry.ts'
import { TEXT_LIMITS } from '../../../src/ports/log/log-entry.ts'
import { NO_DEADLINE } from '../../support/time-limits.ts'
import { startTestSite, type TestSite } from '../../support/test-site.ts'
import { fakeCdpConnection } from './fake-cdp-connection.ts'
import { RecordingRecorder } from './recording-recorder.ts'
import { startScriptedSite, type ScriptedSite } from './scripted-site.ts'
import { logger, startTestPool, type TestPool } from './test-pool.ts'

const LONG = 1_000_000
/** No text of an entry is longer, regardless of page input. */
const LONGEST = Math.max(...Object.values(TEXT_LIMITS))

let site: TestSite
let made: ScriptedSite
let pool: TestPool

beforeAll(async () => {
  site = await startTestSite()
  made = await startScriptedSite({
    long: `const long = 'A'.repeat(${LONG}); const name = 'a'.repeat(60_000)
      fetch('/long-method', { method: long }).catch(() => {})
      fetch('/long-header', { headers: { ['x-' + name]: name } }).catch(() => {})
      fetch('/long-url?' + long).catch(() => {})
      new WebSocket(location.origin.replace('http', 'ws') + '/long-socket?' + long, [name])
      new Worker('data:text/javascript,console.log("worker");//' + long)
      console.log(long)
      setTimeout({ [long]() { throw new Error(long) } }[long])
      setTimeout(() => {
        document.title = long; history.pushState(null, '', '#' + long); prompt(long, long)
        const link = document.createElement('a'); link.href = URL.createObjectURL(new Blob(['text']))
        link.download = long; link.click()
        console.log('all done')
      })`,
    deprecated: `document.createElement('input').style.appearance = 'slider-vertical'`,
  })
  pool = await startTestPool({ warm: 1 })
})

afterAll(async () => {
  await pool.close()
  await made.close()
  await site.close()
})

function until<T>(read: () => T) {
  return expect.poll(read, { interval: 10 })
}

/** The longest text, keys of objects included. */
function longestText(value: unknown): number {
  if (typeof value === 'string') return value.length
  if (typeof value !== 'object' || value === null) return 0
  return Math.max(0, ...Object.entries(value).flatMap(([key, item]) => [key.length, longestText(item)]))
}

test('texts that a page makes up are cut, whatever entry they are part of', async () => {
  const { session, recorder } = await pool.start()
  const started: string[] = []
  recorder.requestStarted = ({ method, url }) => started.push(method, url)
  await session.open(`${made.url}/page/long`, NO_DEADLINE)
  await until(() => recorder.requests('/long-method')).toMatchObject([
    { method: `${'A'.repeat(TEXT_LIMITS.method - 1)}…` },
  ])
  await until(() => recorder.requests('/long-header').length).toBe(1)
  await until(() => recorder.requests('/long-url').length).toBe(1)
  await until(() => recorder.of('WEB_SOCKET_CLOSED').length).toBe(1)
  await until(() => recorder.of('DIALOG').length).toBe(1)
  await until(() => recorder.of('DOWNLOAD').length).toBe(1)
  await until(() => recorder.texts()).toContain('all done')
  await until(() => recorder.of('CONSOLE_MESSAGE').map(({ source }) => source)).toContain('EXCEPTION')
  await until(() => session.pages()[0]?.title.length).toBe(TEXT_LIMITS.title)
  for (const draft of recorder.drafts)
    expect([draft.kind, longestText(draft.data) <= LONGEST]).toEqual([draft.kind, true])
  expect(longestText(started)).toBeLessThanOrEqual(TEXT_LIMITS.url)
  const { requestHeaders } = recorder.requests('/long-header')[0]!
  expect(Math.max(...Object.keys(requestHeaders).map((name) => name.length))).toBe(TEXT_LIMITS.headerName)
  expect(Math.max(...Object.values(requestHeaders).map((value) => value.length))).toBe(TEXT_LIMITS.headerValue)
  expect(longestText(session.pages())).toBeLessThanOrEqual(TEXT_LIMITS.url)
  await session.close(1_000)
})

test('the browser tells what is deprecated', async () => {
  const { session, recorder } = await pool.start()
  await session.open(`${made.url}/page/deprecated`, NO_DEADLINE)
  await until(() => recorder.of('CONSOLE_MESSAGE')[0]).toMatchObject({
    source: 'BROWSER',
    level: 'WARNING',
    text: expect.stringMatching(/slider-vertical.+removed in the future/),
    pageId: 'p1',
  })
  await session.close(1_000)
})

test('a page that asks whether it may be left is left', async () => {
  const tempRoot = await mkdtemp(join(tmpdir(), 'tw-'))
  const executable = findBrowserExecutable(process.env['TABWIRE_BROWSER_PATH'] ?? null)
  const mode = { executable, sandboxed: false, firstUid: null, ownUids: false }
  const open = await openBrowser(
    mode,
    new BrowsersDirectory(tempRoot, logger),
    createBrowserPipes(),
    null,
    logger,
    NO_DEADLINE,
  )
  const recorder = new RecordingRecorder()
  const recording = new RecorderSet(
    open.process.connection,
    open.targets,
    recorder,
    true,
    open.process.folders.downloads,
    logger,
  )
  const session = new PlaywrightSession(
    open.process,
    open.targets,
    open.context,
    recording,
    new CaptureSet([], open.process, open.targets, recorder, logger),
    recorder,
    DEFAULT_OPTIONS,
    logger,
  )
  const url = `${site.url}/beforeunload`
  await session.open(url, NO_DEADLINE)
  // Browsers ask only after a user gesture on the page.
  await open.page.click('button')
  expect(await session.open(`${site.url}/title`, NO_DEADLINE)).toMatchObject({ ok: true })
  expect(recorder.of('DIALOG')).toMatchObject([{ type: 'BEFORE_UNLOAD', url, accepted: true, defaultValue: null }])
  await session.close(1_000)
  await rm(tempRoot, { recursive: true })
})

test('the page that a session with options of its own has no use for is no page of the session', async () => {
  const own = await startTestPool({ warm: 1 })
  const { session, recorder } = await own.start({ locale: 'de-DE' })
  // Closing the pool waits until the context that was ready is closed.
  await own.pool.close()
  await session.ping(1_000)
  expect(recorder.drafts.map(({ kind, data }) => [kind, 'pageId' in data && data.pageId])).toEqual([
    ['PAGE_OPENED', 'p1'],
  ])
  expect(session.pages()).toHaveLength(1)
  await session.close(1_000)
  await own.close()
})

describe('logged objects', () => {
  test('are let go, and nothing of a page is remembered when it is gone', () => {
    const { connection, sent, emit, attach } = fakeCdpConnection()
    const targets = new TargetRegistry(connection)
    const recording = new RecorderSet(connection, targets, new RecordingRecorder(), true, '/no/such/folder', logger)
    onTestFinished(() => recording.stop())
    const live = () => {
      attach('s', 'page')
      const args = [{ type: 'object', objectId: '1' }]
      for (let i = 0; i < 3; i++)
        emit('Runtime.consoleAPICalled', { type: 'log', args, executionContextId: 1, timestamp: 1 }, 's')
      emit('Target.detachedFromTarget', { sessionId: 's' })
    }
    live()
    live()
    // The first object of a page is released immediately, later ones in groups.
    expect(sent.filter((text) => text.includes('Runtime.releaseObjectGroup'))).toHaveLength(2)
  })
})
