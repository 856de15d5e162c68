import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BrowserOptions, BrowserSession } from '../../../src/ports/browser/browser.ts'
import { TEXT_LIMITS } from '../../../src/ports/log/log-entry.ts'
import { WAIT_LIMITS, NO_DEADLINE } from '../../support/time-limits.ts'
import { startTestSite, type TestSite } from '../../support/test-site.ts'
import type { RecordingRecorder } from './recording-recorder.ts'
import { startTestPool, type TestPool } from './test-pool.ts'
import { DEFAULT_CAPTURE } from '../../../src/ports/browser/capture.ts'

let site: TestSite
let pool: TestPool

beforeAll(async () => {
  site = await startTestSite()
  pool = await startTestPool({ warm: 2 })
})

afterAll(async () => {
  await pool.close()
  await site.close()
})

interface Visit {
  session: BrowserSession
  recorder: RecordingRecorder
}

/** Opens a page of the site in a separate session, which is closed when the test is done with it. */
async function visit(
  path: string,
  run: (visit: Visit) => Promise<void>,
  options?: Partial<BrowserOptions>,
): Promise<void> {
  const visited = await pool.start(options)
  try {
    expect(await visited.session.open(`${site.url}${path}`, NO_DEADLINE)).toEqual({ ok: true, failure: null })
    await run(visited)
  } finally {
    await visited.session.close(2_000)
  }
}

const WITHOUT_ARGUMENTS = { capture: { ...DEFAULT_CAPTURE, consoleArguments: false } }

function until<T>(read: () => T) {
  return expect.poll(read, { interval: 10 })
}

describe('the console', () => {
  test('every method, with level, text and place', () =>
    visit(
      '/console',
      async ({ recorder }) => {
        await until(() => recorder.texts().length).toBe(16)
        const lines = recorder.of('CONSOLE_MESSAGE')
        expect(
          lines.every(
            ({ source, pageId, url }) => source === 'CONSOLE' && pageId === 'p1' && url === `${site.url}/console`,
          ),
        ).toBe(true)
        expect(lines.map(({ level, text }) => [level, text.split('\n')[0]])).toEqual([
          ['LOG', 'plain text'],
          ['INFO', 'for information'],
          ['DEBUG', 'for developers'],
          ['WARNING', 'a warning'],
          ['ERROR', 'an error'],
          ['ERROR', 'Assertion failed: one is not greater'],
          ['LOG', 'several 1 true null undefined -0 10n Symbol(s)'],
          ['LOG', '{a: 1, b: "two", c: Array(3), d: {…}} [1, "two", {…}] Map(1) {"k" => 1} Set(1) {1}'],
          ['LOG', 'red and text of 42 more'],
          ['LOG', '(index) | a'],
          ['LOG', '{dir: true}'],
          ['LOG', 'traced'],
          ['LOG', 'a group'],
          ['LOG', 'counted: 1'],
          ['LOG', 'Error: only logged'],
          ['INFO', 'from a timer'],
        ])
        expect(lines[0]).toMatchObject({ line: 1, stack: null, truncated: 0 })
        expect(lines.find(({ text }) => text === 'traced')?.stack).toMatch(
          /^ {4}at outer \(http:.*\/console:\d+:\d+\)\n {4}at /,
        )
      },
      WITHOUT_ARGUMENTS,
    ))

  test('texts are told as the page gave them, cut at their limit', () =>
    visit('/strange-texts', async ({ session, recorder }) => {
      await until(() => recorder.texts().length).toBe(2)
      const [strange, long] = recorder.of('CONSOLE_MESSAGE')
      expect(strange?.text).toBe('nul \u0000 and high \ud800 and low \udc00 surrogates')
      expect(long?.text).toBe('x'.repeat(TEXT_LIMITS.consoleText))
      expect(long?.truncated).toBe(1_000_000 - TEXT_LIMITS.consoleText)
      await until(() => session.pages()[0]?.title).toContain('high')
      await until(() => recorder.requests('/header').length).toBe(1)
      expect(recorder.requests('/header')[0]?.responseHeaders).toHaveProperty('x-strange')
    }))

  test('a burst arrives whole and in order, and logged objects are not kept in the page', async () => {
    await visit('/burst?n=10000', async ({ recorder }) => {
      await until(() => recorder.texts().length).toBe(10_000)
      expect(recorder.texts()).toEqual(Array.from({ length: 10_000 }, (_, index) => `line ${index + 1}`))
    })
    await visit('/objects?n=2000', async ({ recorder }) => {
      await until(() => recorder.texts().length).toBe(2_000)
      expect(recorder.texts().at(-1)).toBe('{i: 2000, list: Array(2)} [2000]')
    })
  })

  test('exceptions and rejections that nobody caught, with their stack', () =>
    visit('/exceptions', async ({ recorder }) => {
      await until(() => recorder.texts().length).toBe(4)
      const thrown = recorder.of('CONSOLE_MESSAGE')
      expect(thrown.every(({ level, source }) => level === 'ERROR' && source === 'EXCEPTION')).toBe(true)
      expect(thrown.map(({ text }) => text).sort()).toEqual([
        'Uncaught (in promise) RangeError: rejected on purpose',
        'Uncaught (in promise) {code: 7}',
        'Uncaught TypeError: thrown on purpose',
        'Uncaught a string',
      ])
      const typeError = thrown.find(({ text }) => text.includes('TypeError'))
      expect(typeError?.stack).toMatch(/^TypeError: thrown on purpose\n {4}at thrower \(http:.*\/exceptions:\d+:\d+\)/)
      expect(typeError).toMatchObject({ url: `${site.url}/exceptions`, line: 1 })
    }))

  test("the browser's own messages", () =>
    visit('/csp', async ({ recorder }) => {
      await until(() => recorder.texts().length).toBeGreaterThanOrEqual(1)
      const [message] = recorder.of('CONSOLE_MESSAGE')
      expect(message).toMatchObject({ level: 'ERROR', source: 'BROWSER', url: `${site.url}/csp`, pageId: 'p1' })
      expect(message?.text).toContain('Content Security Policy')
      await until(() => recorder.requests('x.png').length).toBe(1)
      expect(recorder.requests('x.png')[0]).toMatchObject({ status: null, failure: expect.stringContaining('csp') })
    }))

  test('workers of each kind: lines, exceptions and requests, once each', () =>
    visit('/workers', async ({ recorder }) => {
      const kinds = ['worker', 'shared worker', 'service worker']
      const expected = kinds.flatMap((kind) => [`said by the ${kind}`, `Uncaught Error: thrown by the ${kind}`]).sort()
      await until(() => recorder.texts().sort()).toEqual(expected)
      const lines = recorder.of('CONSOLE_MESSAGE')
      expect(lines.every(({ url }) => url?.endsWith('worker.js'))).toBe(true)
      for (const { source, text } of lines) expect(source).toBe(text.startsWith('said') ? 'WORKER' : 'EXCEPTION')
      expect(lines.filter(({ pageId }) => pageId === null)).toHaveLength(4)
      await until(() => recorder.requests('?by=').length).toBe(3)
      expect(new Set(recorder.requests('?by=').map(({ url }) => url)).size).toBe(3)
      await until(() => recorder.requests('worker.js').length).toBe(3)
      for (const { responseBytes } of recorder.requests('worker.js')) expect(responseBytes).toBeGreaterThan(100)
    }))

  test('shared workers: the answer to the script of each, however many start at once', () =>
    visit('/shared-workers', async ({ recorder }) => {
      await until(() => recorder.requests('/shared-worker.js?').length).toBe(20)
      for (const request of recorder.requests('/shared-worker.js?')) {
        expect(request).toMatchObject({ status: 200, failure: null, resourceType: 'SCRIPT' })
        expect(request.responseBytes).toBeGreaterThan(100)
      }
    }))
})

describe('requests', () => {
  test('method, status, type, sizes, headers, cache, redirects and failures', () =>
    visit('/fetches', async ({ recorder }) => {
      await until(() => recorder.texts()).toContain('fetches done')
      await until(() => recorder.inFlight.size).toBe(0)
      const only = (path: string) => {
        const requests = recorder.requestsTo(`${site.url}${path}`)
        expect(requests).toHaveLength(1)
        return requests[0]!
      }
      expect(only('/fetches')).toMatchObject({ requestId: 1, resourceType: 'DOCUMENT', status: 200, pageId: 'p1' })
      expect(only('/pixel.gif')).toMatchObject({ resourceType: 'IMAGE', method: 'GET' })
      expect(only('/script.js')).toMatchObject({ resourceType: 'SCRIPT' })
      expect(only('/missing')).toMatchObject({ status: 404, failure: null, resourceType: 'FETCH' })
      expect(only('/broken')).toMatchObject({ status: 500, failure: null })
      expect(only('/no-content')).toMatchObject({ method: 'DELETE', status: 204, failure: null, responseBytes: 0 })
      expect(only('/post')).toMatchObject({ method: 'POST', status: 201, requestBytes: 500 })

      const [first, second] = recorder.requestsTo(`${site.url}/text`)
      expect(first).toMatchObject({ status: 200, fromCache: false, redirectedFrom: null })
      expect(first?.responseBytes).toBeGreaterThanOrEqual('some text'.length)
      expect(first?.responseHeaders).toMatchObject({ 'content-type': 'text/plain', 'set-cookie': 'seen=yes; Path=/' })
      expect(first?.timing?.waitingMs).toBeGreaterThan(0)
      expect(second?.requestHeaders).toMatchObject({ cookie: 'seen=yes' })

      expect(only('/redirect/1')).toMatchObject({ status: 302, redirectedFrom: null })
      expect(only('/redirect/1').responseHeaders).toMatchObject({ location: '/redirect/2' })
      expect(only('/redirect/2')).toMatchObject({ status: 307, redirectedFrom: `${site.url}/redirect/1` })
      expect(only('/redirect/3')).toMatchObject({ status: 301, redirectedFrom: `${site.url}/redirect/2` })
      expect(second).toMatchObject({ status: 200, redirectedFrom: `${site.url}/redirect/3` })

      expect(recorder.requestsTo(`${site.url}/cached`)).toMatchObject([
        { fromCache: false },
        { fromCache: true, timing: null },
      ])
      expect(recorder.requestsTo(`${site.url}/revalidated`)).toMatchObject([{ status: 200 }, { status: 304 }])
      expect(recorder.requests('no-such-host')).toMatchObject([
        { status: null, failure: 'net::ERR_NAME_NOT_RESOLVED', responseHeaders: null },
      ])
      expect(only('/broken-off').failure).toMatch(/^net::ERR_/)
      expect(only('/slow?ms=60000&aborted')).toMatchObject({ status: null, failure: 'net::ERR_ABORTED' })
      expect(recorder.requests('blob:')).toHaveLength(1)
      expect(recorder.requests('data:')).toEqual([])
      for (const { startedAt, durationMs } of recorder.of('NETWORK_REQUEST'))
        // The clocks of browser and server may differ a little.
        expect([durationMs >= 0, startedAt + durationMs < Date.now() + 1_000]).toEqual([true, true])
    }))

  test('how long one waited for a connection', () =>
    visit('/crowd', async ({ recorder }) => {
      await until(() => recorder.requests('/slow?ms=2000').length).toBe(7)
      const queued = recorder.requests('/slow?ms=2000').map(({ timing }) => timing!.queuedMs!)
      // Over HTTP/1 a browser has six connections to a host, so one of the seven requests waits for the response to
      // another.
      expect(queued.filter((ms) => ms >= Math.min(...queued) + 1_500)).toHaveLength(1)
      for (const { timing, durationMs } of recorder.requests('/slow?ms=2000')) {
        const phases = [timing!.queuedMs!, timing!.waitingMs!, timing!.downloadMs!]
        expect(phases.reduce((sum, ms) => sum + ms, 0)).toBeLessThanOrEqual(durationMs + 1)
      }
    }))

  test('the preflight of a request to another origin, and why it was refused', () =>
    visit('/cross-origin', async ({ recorder }) => {
      await until(() => recorder.requests('localhost').length).toBe(2)
      const byMethod = (method: string) => recorder.requests('localhost').filter((one) => one.method === method)
      expect(byMethod('OPTIONS')).toMatchObject([{ resourceType: 'OTHER' }])
      expect(byMethod('GET')).toMatchObject([{ failure: expect.stringContaining('CORS') }])
    }))

  test('are in flight until they settle, also when their page is left, closed or crashes', async () => {
    await visit('/waiting', async ({ session, recorder }) => {
      await until(() => [...recorder.inFlight.values()].some(({ url }) => url.includes('/slow'))).toBe(true)
      await session.open(`${site.url}/title`, NO_DEADLINE)
      await until(() => recorder.requests('/slow')).toMatchObject([{ failure: 'net::ERR_ABORTED' }])
    })
    const { session, recorder } = await pool.start()
    const opened = session.open(`${site.url}/slow?ms=60000`, NO_DEADLINE)
    await until(() => [...recorder.inFlight.values()]).toMatchObject([
      { requestId: 1, url: `${site.url}/slow?ms=60000`, method: 'GET' },
    ])
    await session.close(1_000)
    expect((await opened).ok).toBe(false)
    expect(recorder.inFlight.size).toBe(1)
  })
})

describe('pages', () => {
  test('popups have their opener, and close', () =>
    visit('/popup', async ({ session, recorder }) => {
      await until(() => recorder.of('PAGE_CLOSED')).toEqual([{ pageId: 'p2', url: `${site.url}/popup-content` }])
      expect(recorder.of('PAGE_OPENED')).toEqual([
        { pageId: 'p1', url: 'about:blank', openerPageId: null },
        { pageId: 'p2', url: 'about:blank', openerPageId: 'p1' },
      ])
      expect(recorder.of('CONSOLE_MESSAGE')).toMatchObject([{ text: 'said by the popup', pageId: 'p2' }])
      expect(recorder.requests('/popup-content')).toMatchObject([{ pageId: 'p2' }])
      expect(session.pages()).toEqual([{ pageId: 'p1', url: `${site.url}/popup`, title: 'Popup' }])
    }))

  test('frames speak for their page, also those in a process of their own, and their navigations are requests only', () =>
    visit('/frames', async ({ recorder }) => {
      await until(() => recorder.texts().sort()).toEqual([
        'said by the frame of 127.0.0.1',
        'said by the frame of localhost',
      ])
      expect(recorder.of('CONSOLE_MESSAGE').every(({ pageId }) => pageId === 'p1')).toBe(true)
      await until(() => recorder.requests('/frame').length).toBe(3)
      expect(recorder.of('NAVIGATION')).toEqual([{ pageId: 'p1', url: `${site.url}/frames`, sameDocument: false }])
    }))

  test('navigations within the document, and titles that a script changes', () =>
    visit('/spa', async ({ session, recorder }) => {
      await until(() => recorder.of('NAVIGATION')).toEqual([
        { pageId: 'p1', url: `${site.url}/spa`, sameDocument: false },
        { pageId: 'p1', url: `${site.url}/spa/second`, sameDocument: true },
      ])
      await until(() => session.pages()).toEqual([
        { pageId: 'p1', url: `${site.url}/spa/second`, title: 'Third title' },
      ])
      expect(recorder.pagesChanges).toBeGreaterThan(2)
    }))

  test('addresses that cannot be loaded are told as data', async () => {
    const { session } = await pool.start()
    const refused = await session.open('http://no-such-host.invalid/', NO_DEADLINE)
    expect(refused).toEqual({ ok: false, failure: 'net::ERR_NAME_NOT_RESOLVED' })
    const late = await session.open(`${site.url}/slow?ms=60000`, AbortSignal.timeout(100))
    expect(late.ok).toBe(false)
    await session.close(1_000)
  })

  test('pages cannot reach files', async () =>
    visit('/title', async ({ recorder, session }) => {
      expect(
        await session.open(
          'data:text/html,<iframe src="file:///etc/passwd"></iframe><script>location.href="file:///etc/passwd"</script>',
          NO_DEADLINE,
        ),
      ).toMatchObject({ ok: true })
      await until(
        () => recorder.texts().filter((text) => text.includes('Not allowed to load local resource')).length,
      ).toBeGreaterThan(0)
      expect(recorder.of('NAVIGATION').some(({ url }) => url.startsWith('file:'))).toBe(false)
    }))
})

describe('what pages do besides', () => {
  test('dialogs are recorded and answered at once', () =>
    visit('/dialogs', async ({ recorder }) => {
      await until(() => recorder.texts()).toEqual(['dialogs done {"sure":false,"name":null}'])
      const common = { pageId: 'p1', url: `${site.url}/dialogs`, accepted: false }
      expect(recorder.of('DIALOG')).toEqual([
        { ...common, type: 'ALERT', message: 'an alert', defaultValue: null },
        { ...common, type: 'CONFIRM', message: 'sure?', defaultValue: null },
        { ...common, type: 'PROMPT', message: 'name?', defaultValue: 'nobody' },
      ])
    }))

  test('downloads, whole and broken off, are given away and leave no file', async () => {
    await visit('/download', async ({ recorder }) => {
      await until(() => recorder.of('DOWNLOAD').length).toBe(1)
      const url = `${site.url}/file?size=1000`
      const expected = { url, suggestedFilename: 'report.bin', pageId: 'p1', sizeBytes: 1000, failure: null }
      expect(recorder.of('DOWNLOAD')).toEqual([{ ...expected, artifactId: 'artifact-1', keepFailure: null }])
      expect(recorder.files).toMatchObject([{ kind: 'DOWNLOAD', name: 'report.bin', pageId: 'p1' }])
      expect(recorder.files[0]!.bytes.length).toBe(1000)
      const files = () =>
        readdirSync(pool.directory).flatMap((name) => readdirSync(join(pool.directory, name, 'downloads')))
      await until(files).toEqual([])
    })
    await visit('/download-broken', async ({ recorder }) => {
      await until(() => recorder.of('DOWNLOAD')).toMatchObject([{ sizeBytes: null, failure: 'canceled', pageId: 'p1' }])
    })
  })

  test('WebSockets: opening, frames, closing, and why one failed', () =>
    visit('/websocket', async ({ recorder }) => {
      await until(() => recorder.of('WEB_SOCKET_CLOSED').length).toBe(3)
      const base = site.url.replace('http', 'ws')
      expect(recorder.of('WEB_SOCKET_OPENED').map(({ url }) => url)).toEqual(
        ['/echo', '/greeting', '/refused'].map((path) => base + path),
      )
      const closed = recorder.of('WEB_SOCKET_CLOSED').sort((one, other) => one.webSocketId - other.webSocketId)
      expect(closed).toMatchObject([
        { framesSent: 2, framesReceived: 2, error: null, pageId: 'p1' },
        { framesSent: 0, framesReceived: 2, error: null },
        { framesSent: 0, framesReceived: 0, error: expect.stringContaining('404') },
      ])
    }))

  test('the options of a session hold in every page', () =>
    visit(
      '/environment',
      async ({ recorder }) => {
        await until(() => recorder.texts().length).toBe(1)
        expect(JSON.parse(recorder.texts()[0]!.replace('environment ', ''))).toEqual({
          width: 640,
          height: 480,
          userAgent: 'Tabwire test',
          language: 'de-CH',
          timeZone: 'Asia/Tokyo',
        })
        await until(() => recorder.requests('/environment').length).toBe(1)
        expect(recorder.requests('/environment')[0]?.requestHeaders).toMatchObject({
          'x-own': 'yes',
          'user-agent': 'Tabwire test',
        })
        expect(recorder.of('PAGE_OPENED')).toEqual([{ pageId: 'p1', url: 'about:blank', openerPageId: null }])
        expect(recorder.of('PAGE_CLOSED')).toEqual([])
      },
      {
        viewport: { width: 640, height: 480 },
        userAgent: 'Tabwire test',
        locale: 'de-CH',
        timezone: 'Asia/Tokyo',
        extraHeaders: { 'X-Own': 'yes' },
      },
    ))

  test('the size of the window can be changed', () =>
    visit('/environment', async ({ session, recorder }) => {
      await session.setViewport({ width: 800, height: 600 })
      await session.open(`${site.url}/environment`, NO_DEADLINE)
      await until(() => recorder.texts().length).toBe(2)
      expect(recorder.texts()[0]).toContain('"width":1920,"height":1080')
      expect(recorder.texts()[1]).toContain('"width":800,"height":600')
    }))

  test('flush does not wait for a page that hangs', async () => {
    await visit('/hang', async ({ session, recorder }) => {
      await until(() => recorder.texts()).toEqual(['hanging'])
      await session.flush(200)
      expect(await session.ping(WAIT_LIMITS.timeout)).not.toBeNull()
    })
  })
})
