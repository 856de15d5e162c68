import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { BrowserSession } from '../../../src/ports/browser/browser.ts'
import { NO_DEADLINE } from '../../support/time-limits.ts'
import { take } from '../../support/take-steps.ts'
import type { RecordingRecorder } from './recording-recorder.ts'
import { startTestPool, type TestPool } from './test-pool.ts'

const HTML: Readonly<Record<string, string>> = {
  '/': '<!doctype html><title>Page</title>',
  '/quirks': `<title>Quirks</title><meta http-equiv="Content-Security-Policy" content="script-src 'none'"><script id="refused">0</script>`,
  '/worker': `<!doctype html><title>Worker</title><script>new Worker('/worker.js'); new SharedWorker('/worker.js')</script>`,
  '/untitled?q=a%20b': '<!doctype html><p>text</p>',
  '/named': `<!doctype html><script>document.title = location.host + location.pathname</script>`,
}

let pool: TestPool
let session: BrowserSession
let recorder: RecordingRecorder
let server: Server
let url: string

/** Another origin of the same server, without CORS permissions. */
const elsewhere = () => url.replace('127.0.0.1', 'localhost')

beforeAll(async () => {
  server = createServer((request, response) => {
    if (request.url === '/worker.js') {
      response.setHeader('content-type', 'text/javascript')
      return response.end(
        `console.log('runs'); fetch('${elsewhere()}/').catch(() => 0); setTimeout(() => { throw new Error('thrown') })`,
      )
    }
    if (request.url === '/broken-download') {
      response.writeHead(500, { 'content-disposition': 'attachment; filename=a.bin' })
      return response.end('broken')
    }
    response.setHeader('content-type', 'text/html')
    return response.end(HTML[request.url ?? ''] ?? '<!doctype html>')
  })
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await promise
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  pool = await startTestPool({ warm: 0 })
  ;({ session, recorder } = await pool.start())
})

afterAll(async () => {
  await session.close(2_000)
  await pool.close()
  server.closeAllConnections()
  const { promise, resolve } = Promise.withResolvers<void>()
  server.close(() => resolve())
  await promise
})

const goTo = async (path: string) => {
  const { error } = await take(session, { navigate: { url: path.startsWith('data:') ? path : url + path } })
  expect(error).toBeNull()
}

test('messages of the browser about workers, and what they say themselves, once each', async () => {
  await goTo('/worker')
  const lines = () =>
    recorder
      .of('CONSOLE_MESSAGE')
      .map(({ source, text }) => `${source} ${text.slice(0, 15)}`)
      .sort()
  await expect
    .poll(lines)
    .toEqual([
      'BROWSER Access to fetch',
      'BROWSER Access to fetch',
      'EXCEPTION Uncaught Error:',
      'EXCEPTION Uncaught Error:',
      'WORKER runs',
      'WORKER runs',
    ])
})

test('an issue names its code, category and the request that it is about; the same one of a document is told once', async () => {
  await goTo('/')
  const expression = `fetch('${elsewhere()}/refused').catch(() => 0)`
  for (let times = 0; times < 2; times++) await take(session, { evaluate: { expression } })
  const issues = () => recorder.of('ISSUE').filter(({ affectedUrl }) => affectedUrl?.endsWith('/refused'))
  await expect.poll(() => issues().length).toBeGreaterThan(0)
  await expect.poll(() => recorder.requests('/refused').length).toBe(2)
  const [issue] = issues()
  expect(issue).toMatchObject({
    category: 'CORS',
    affectedUrl: `${elsewhere()}/refused`,
    requestId: recorder.requests('/refused')[0]!.requestId,
    pageId: 'p1',
  })
  expect(issue!.message).toBe('A cross-origin request was blocked: missing allow origin header.')
  expect(JSON.stringify(issue!.details)).not.toMatch(/requestId|frameId/)
  expect(issues()).toHaveLength(1)
})

test('issues of a document and of its elements', async () => {
  await goTo('/quirks')
  const of = (code: string) => recorder.of('ISSUE').filter((issue) => issue.code === code && issue.url !== null)
  const codes = () => recorder.of('ISSUE').map(({ code }) => code)
  await expect.poll(codes).toContain('QuirksModeIssue')
  await expect.poll(codes).toContain('ContentSecurityPolicyIssue')
  expect(of('ContentSecurityPolicyIssue')[0]).toMatchObject({
    category: 'CONTENT_SECURITY_POLICY',
    message: 'The Content Security Policy was violated: script-src-elem, inline violation.',
    url: `${url}/quirks`,
  })
  // Each document has its own; on a busy machine it may be too late to inspect the element.
  const elements = async () => {
    await take(session, { reload: {} })
    return of('ContentSecurityPolicyIssue').map(({ affectedElement }) => affectedElement)
  }
  await expect.poll(elements).toContain('<script id="refused">')
  expect(codes().filter((code) => code === 'QuirksModeIssue').length).toBeGreaterThan(1)
})

test('a page without a title has none, and one may be named like its URL', async () => {
  await goTo('/')
  const title = () => session.pages()[0]!.title
  await expect.poll(title).toBe('Page')
  for (const path of ['/untitled?q=a%20b', '/untitled#é', '/xn--/%C3%A9']) {
    await goTo(path)
    expect(title()).toBe('')
  }
  await goTo('/named')
  await expect.poll(title).toBe(`${new URL(url).host}/named`)
  await goTo('data:text/html,hi')
  await expect.poll(title).toBe('')
})

test('a download that the server fails is no success', async () => {
  const { error, details } = await take(session, { navigate: { url: `${url}/broken-download` } })
  expect(error).toMatchObject({ code: 'NAVIGATION_FAILED', message: expect.stringContaining('responded with 500') })
  expect(details).not.toHaveProperty('download')
  expect(await session.open(`${url}/broken-download`, NO_DEADLINE)).toEqual({
    ok: false,
    failure: 'net::ERR_INVALID_RESPONSE',
  })
  await expect.poll(() => recorder.requests('/broken-download').map(({ status }) => status)).toEqual([500, 500])
  expect(recorder.of('DOWNLOAD').filter(({ failure }) => failure === null)).toEqual([])
})

test('a page that crashes tells how its process ended', async () => {
  await goTo('/')
  await take(session, { navigate: { url: 'chrome://crash', timeoutMs: 5_000 } })
  await expect.poll(() => recorder.of('PAGE_CRASHED')).toHaveLength(1)
  expect(recorder.of('PAGE_CRASHED')[0]).toMatchObject({ crashReason: 'crashed', crashCode: expect.any(Number) })
})
