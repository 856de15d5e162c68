import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type Browser, type Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findBrowserExecutable } from '../../../src/adapters/playwright/launch/browser-executable.ts'
import type { EntryDraft } from '../../../src/ports/log/log-entry.ts'
import { networkRequest } from '../../contracts/store-samples.ts'
import { harText } from '../../support/har-of-log.ts'

/** Nothing listens there: all responses come from the archive. */
const ORIGIN = 'http://nobody.invalid'
const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
const MULTIPART = (boundary: string) =>
  `--${boundary}\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--${boundary}--\r\n`

type RequestData = EntryDraft<'NETWORK_REQUEST'>['data']

let browser: Browser
let folder: string
let page: Page

const text = (inline: string, contentType: string): RequestData['responseBody'] => {
  const sizeBytes = Buffer.byteLength(inline)
  return { contentType, sizeBytes, truncated: 0, encoding: 'UTF8', inline, sha256: null }
}
const bytes = (base64: string, contentType: string): RequestData['responseBody'] => {
  const sizeBytes = Buffer.from(base64, 'base64').length
  return { contentType, sizeBytes, truncated: 0, encoding: 'BASE64', inline: base64, sha256: null }
}

let requests = 0
const asked = (path: string, body: RequestData['responseBody'], more: Partial<RequestData> = {}): EntryDraft =>
  networkRequest(++requests, {
    url: `${ORIGIN}${path}`,
    responseHeaders: { 'content-type': body?.contentType ?? 'text/plain', ...more.responseHeaders },
    responseBody: body,
    ...more,
  })
const redirect = (path: string, location: string, status = 302): EntryDraft =>
  asked(path, null, { status, responseHeaders: { location } })

const LOG: EntryDraft[] = [
  redirect('/start', '/page', 301),
  asked('/page', text('<title>Replayed</title><p>Zoë', 'text/html; charset=utf-8'), {
    resourceType: 'DOCUMENT',
    responseHeaders: { 'content-type': 'text/html; charset=utf-8', 'set-cookie': 'a=1; Path=/\nb=2; Path=/' },
  }),
  asked('/data.json', text('{"a":"\u2028"}', 'application/json')),
  asked('/pixel.png', bytes(PIXEL, 'image/png')),
  asked('/bytes', bytes('AP8B/g==', 'application/octet-stream')),
  asked('/teapot', text('short and stout', 'text/plain'), { status: 418 }),
  asked('/empty', null, { status: 204 }),
  redirect('/hop', '/data.json'),
  ...['one', 'two'].map((word) =>
    asked('/post', text(`posted ${word}`, 'text/plain'), { method: 'POST', requestBody: text(word, 'text/plain') }),
  ),
  asked('/post', text('posted bytes', 'text/plain'), {
    method: 'POST',
    requestBody: bytes('AP8=', 'application/octet-stream'),
  }),
  asked('/form', text('form taken', 'text/plain'), {
    method: 'POST',
    requestHeaders: { 'content-type': 'multipart/form-data; boundary=recorded' },
    requestBody: text(MULTIPART('recorded'), 'multipart/form-data; boundary=recorded'),
  }),
  asked('/gzipped', text('unpacked by the browser', 'text/plain'), {
    responseHeaders: { 'content-type': 'text/plain', 'content-encoding': 'gzip' },
  }),
]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tw-har-'))
  const path = join(folder, 'session.har')
  await writeFile(path, await harText(LOG))
  const executablePath = findBrowserExecutable(process.env['TABWIRE_BROWSER_PATH'] ?? null)
  browser = await chromium.launch({ executablePath, chromiumSandbox: false })
  const context = await browser.newContext({ serviceWorkers: 'block' })
  await context.routeFromHAR(path, { notFound: 'abort' })
  page = await context.newPage()
  await page.goto(`${ORIGIN}/start`)
})

afterAll(async () => {
  await browser?.close()
  await rm(folder, { recursive: true })
})

/** Result of a page's request: its status and its text. */
const fetched = (path: string, init?: { method: string; body: string | number[] }) =>
  page.evaluate(
    async ([url, options]) => {
      const { method = 'GET', body } = options ?? {}
      const sent = Array.isArray(body) ? new Uint8Array(body) : (body ?? null)
      const response = await fetch(url, { method, body: sent }).catch(() => null)
      return response ? `${response.status} ${await response.text()}` : 'failed'
    },
    [path, init] as const,
  )

describe('Playwright replays a HAR of a log', () => {
  test('a page, to which a redirect led, with its cookies', async () => {
    expect([page.url(), await page.title()]).toEqual([`${ORIGIN}/page`, 'Replayed'])
    expect(await page.textContent('p')).toBe('Zoë')
    expect((await page.evaluate(() => document.cookie)).split('; ').toSorted()).toEqual(['a=1', 'b=2'])
  })

  test('text, bytes and an image as they were', async () => {
    expect(await fetched('/data.json')).toBe('200 {"a":"\u2028"}')
    const found = await page.evaluate(async () => [...new Uint8Array(await (await fetch('/bytes')).arrayBuffer())])
    expect(found).toEqual([0, 255, 1, 254])
    const size = await page.evaluate(async () => {
      const image = new Image()
      image.src = '/pixel.png'
      await image.decode()
      return [image.naturalWidth, image.naturalHeight]
    })
    expect(size).toEqual([1, 1])
  })

  test('statuses, redirects, and what has no body', async () => {
    expect(await fetched('/teapot')).toBe('418 short and stout')
    expect(await fetched('/hop')).toBe('200 {"a":"\u2028"}')
    expect(await fetched('/empty')).toBe('204 ')
    expect(await fetched('/gzipped')).toBe('200 unpacked by the browser')
    expect(await fetched('/unknown')).toBe('failed')
  })

  test('what was posted decides', async () => {
    expect(await fetched('/post', { method: 'POST', body: 'two' })).toBe('200 posted two')
    expect(await fetched('/post', { method: 'POST', body: 'one' })).toBe('200 posted one')
    expect(await fetched('/post', { method: 'POST', body: [0, 255] })).toBe('200 posted bytes')
    expect(await fetched('/post', { method: 'POST', body: 'three' })).toBe('failed')
    const form = await page.evaluate(async () => {
      const data = new FormData()
      data.append('a', '1')
      return (await fetch('/form', { method: 'POST', body: data })).text()
    })
    expect(form).toBe('form taken')
  })
})
