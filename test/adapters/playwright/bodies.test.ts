import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { BODY_OMISSIONS } from '../../../src/contract/entries/body.ts'
import type { BrowserSession } from '../../../src/ports/browser/browser.ts'
import { DEFAULT_CAPTURE, type CaptureOptions } from '../../../src/ports/browser/capture.ts'
import type { EntryData } from '../../../src/ports/log/log-entry.ts'
import { NO_DEADLINE } from '../../support/time-limits.ts'
import { LARGE, startBodiesSite, type BodiesSite } from './bodies-site.ts'
import type { RecordingRecorder } from './recording-recorder.ts'
import { startTestPool, type TestPool } from './test-pool.ts'

let site: BodiesSite
let pool: TestPool

beforeAll(async () => {
  site = await startBodiesSite()
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

/** Opens a page that runs the script, in a session of its own. */
async function visit(
  script: string,
  run: (visit: Visit) => Promise<void>,
  capture: Partial<CaptureOptions> = {},
): Promise<void> {
  const visited = await pool.start({ capture: { ...DEFAULT_CAPTURE, ...capture } })
  try {
    expect(await visited.session.open(site.page(script), NO_DEADLINE)).toMatchObject({ ok: true })
    await run(visited)
  } finally {
    await visited.session.close(2_000)
  }
}

type Request = EntryData['NETWORK_REQUEST']

/** A text, the list of the bytes, or the reason why there is no body. */
function received({ responseBody, responseBodyOmitted }: Request) {
  return responseBody === null ? responseBodyOmitted : contentOf(responseBody)
}

function sent({ requestBody, requestBodyOmitted }: Request) {
  return requestBody === null ? requestBodyOmitted : contentOf(requestBody)
}

function contentOf({ encoding, inline }: NonNullable<Request['requestBody']>) {
  return encoding === 'UTF8' ? inline : [...Buffer.from(inline!, 'base64')]
}

async function request({ recorder }: Visit, part: string): Promise<Request> {
  await expect.poll(() => recorder.requests(part).length, { interval: 10, message: part }).toBeGreaterThan(0)
  return recorder.requests(part)[0]!
}

async function done({ recorder }: Visit): Promise<void> {
  await expect.poll(() => recorder.texts(), { interval: 10 }).toContain('done')
}

/** Expected bodies, by fetched path. */
const BY_PATH: Readonly<Record<string, string | number[] | null>> = {
  '/json': '{"greeting":"grüezi"}',
  '/problem': '{"title":"no stock"}',
  '/gzip': JSON.stringify('z'.repeat(5_000)),
  '/latin1': 'café',
  '/utf16': '{"a":"plain"}',
  '/shift-jis': '<meta charset=shift_jis>こ',
  '/undeclared': 'naïve',
  '/not-json': [0x7b, 0xff, 0x00, 0x7d],
  '/untyped': '{"no":"type"}',
  '/untyped-bytes': 'NOT_CAPTURED',
  '/bytes': 'NOT_CAPTURED',
  '/svg': '<svg xmlns="http://www.w3.org/2000/svg"/>',
  '/empty': null,
  '/empty-chunked': null,
  '/nothing': null,
  '/large': 'TOO_LARGE',
  '/large-gzip': 'TOO_LARGE',
  '/torn': '{"half":',
}

test('by default what a script receives is recorded if it is text, as UTF-8, and not too large', () =>
  visit(
    `await Promise.all(${JSON.stringify(Object.keys(BY_PATH))}.map((path) => get(path).catch(() => 0))); done()`,
    async (visited) => {
      await done(visited)
      for (const [path, expected] of Object.entries(BY_PATH)) {
        expect([path, received(await request(visited, path))]).toEqual([path, expected])
      }
      const { responseBody } = await request(visited, '/latin1')
      expect(responseBody).toMatchObject({ contentType: 'text/plain; charset=ISO-8859-1', sizeBytes: 5, truncated: 0 })
      expect(received(await request(visited, '/page/'))).toContain('<script type=module>')
    },
  ))

const OF_MARKUP = `
  for (const src of ['/missing.png', '/missing.js', '/svg?image']) document.body.append(Object.assign(new Image(), { src }))
  document.head.append(Object.assign(document.createElement('script'), { src: '/script.js' }))
  await Promise.all([get('/json'), get('/bytes'), post('/post', '{"a":1}', { 'content-type': 'application/json' })])
  done()
`

test.each([
  ['TEXT', '{"greeting":"grüezi"}', 'NOT_CAPTURED', 'NOT_CAPTURED', '{"a":1}', 'NOT_CAPTURED'],
  ['ALL', '{"greeting":"grüezi"}', [0, 1, 2, 255], 'globalThis.loaded = 1', '{"a":1}', [137, 80, 78, 71, 0, 255]],
  ['NONE', 'NOT_CAPTURED', 'NOT_CAPTURED', 'NOT_CAPTURED', 'NOT_CAPTURED', 'NOT_CAPTURED'],
] as const)('%s bodies of responses and requests, of failed ones whatever they were for', (bodies, ...expected) =>
  visit(
    OF_MARKUP,
    async (visited) => {
      await done(visited)
      const failed = await request(visited, '/missing.png')
      expect(received(failed)).toEqual(bodies === 'NONE' ? 'NOT_CAPTURED' : '<b>no such picture</b>')
      expect(received(await request(visited, '/svg?image'))).toContain(bodies === 'ALL' ? '<svg' : 'NOT_CAPTURED')
      const posted = await request(visited, '/post')
      expect([
        received(await request(visited, '/json')),
        received(await request(visited, '/bytes')),
        received(await request(visited, '/script.js')),
        sent(posted),
        received(await request(visited, '/missing.js')),
      ]).toEqual(expected)
      // A request without a body lacks nothing.
      expect(sent(failed)).toBeNull()
    },
    { bodies },
  ),
)

test('what is sent is recorded, the start of what is too large, forms with what is in memory', () =>
  visit(
    `
    const form = new FormData()
    form.append('note', 'hello')
    form.append('file', new Blob(['contents of a file']), 'a.txt')
    await Promise.all([
      post('/post?form', form),
      post('/post?fields', new URLSearchParams({ name: 'Ann Bø' })),
      post('/post?blob', new Blob(['{"of":"a blob"}'], { type: 'application/json' })),
      post('/post?bytes', new Uint8Array([1, 2, 0, 255])),
      post('/post?picture', new Blob([new Uint8Array([1, 2])], { type: 'image/png' })),
      post('/post?large', '€'.repeat(${LARGE}), { 'content-type': 'text/plain' }),
      post('/post?large-blob', new Blob(['l'.repeat(${LARGE})], { type: 'text/plain' })),
    ])
    done()`,
    async (visited) => {
      await done(visited)
      const form = await request(visited, '?form')
      const parts = sent(form) as string
      expect(parts).toMatch(/name="note"\r\n\r\nhello\r\n/)
      expect(parts).toMatch(/filename="a.txt"\r\nContent-Type: application\/octet-stream\r\n\r\ncontents of a file\r\n/)
      expect(received(form)).toBe(`${parts.length} bytes`)
      expect(form.requestBody).toMatchObject({ sizeBytes: parts.length, truncated: 0 })
      expect(sent(await request(visited, '?fields'))).toBe('name=Ann+B%C3%B8')
      expect(sent(await request(visited, '?blob'))).toBe('{"of":"a blob"}')
      expect(sent(await request(visited, '?bytes'))).toBe('NOT_CAPTURED')
      expect(sent(await request(visited, '?picture'))).toBe('NOT_CAPTURED')
      const { requestBody } = await request(visited, '?large')
      // Whole characters of three bytes each.
      const kept = 3 * Math.floor(DEFAULT_CAPTURE.maxBodyBytes / 3)
      expect(requestBody).toMatchObject({ sizeBytes: 3 * LARGE, truncated: 3 * LARGE - kept })
      expect(requestBody?.inline).toBe('€'.repeat(kept / 3))
      expect(sent(await request(visited, '?large-blob'))).toBe('TOO_LARGE')
    },
  ))

/** A page whose script does not end, in a session of its own. */
async function visitHanging(): Promise<Visit> {
  const visited = await pool.start({ capture: DEFAULT_CAPTURE })
  onTestFinished(() => visited.session.close(2_000))
  const url = site.page(`await get('/json?hangs'); setTimeout(() => { for (;;); })`)
  expect(await visited.session.open(url, NO_DEADLINE)).toMatchObject({ ok: true })
  return visited
}

describe('what the browser still has when who received it is gone', () => {
  test('a page that is left at once, a window that closes itself, workers that end', () =>
    visit(
      `
      new Worker('/worker.js').onmessage = async () => {
        const shared = new SharedWorker('/shared.js')
        shared.port.onmessage = async () => {
          const popup = open('/popup')
          const closed = setInterval(async () => {
            if (!popup.closed) return
            clearInterval(closed)
            await get('/json?left')
            location.href = other + '/frame'
          }, 10)
        }
      }`,
      async (visited) => {
        for (const part of ['?of-worker', '?of-shared', '?of-popup', '?left', '?of-frame']) {
          expect([part, received(await request(visited, part))]).toEqual([part, '{"greeting":"grüezi"}'])
        }
      },
    ))

  test('a page that shows a dialog, and one whose script hangs', () =>
    visit(`await get('/json?before'); setTimeout(() => alert('wait'))`, async (visited) => {
      expect(received(await request(visited, '?before'))).toBe('{"greeting":"grüezi"}')
      const hanging = await visitHanging()
      expect(received(await request(hanging, '?hangs'))).toBe('{"greeting":"grüezi"}')
    }))
})

describe('why there is none', () => {
  test('streams, which have no end', () =>
    visit(
      `
      new EventSource('/events').onmessage = async () => {
        const { body } = await fetch('/stream')
        await body.getReader().read()
        done()
      }`,
      async (visited) => {
        const { session, recorder } = visited
        await done(visited)
        await session.flush(2_000)
        const pending = [...recorder.inFlight.values()].map(({ url }) => url)
        for (const path of ['/events', '/stream']) {
          const isPending = pending.some((url) => url.endsWith(path))
          expect([path, isPending || received(recorder.requests(path)[0]!)]).toEqual([path, isPending || 'STREAMING'])
        }
      },
    ))

  test('what a rule of the web keeps from the page', () =>
    visit(
      `
      await get(other + '/allowed')
      await fetch(other + '/guarded?no-cors', { mode: 'no-cors' }).catch(() => 0)
      await fetch(other + '/guarded?cors').catch(() => 0)
      done()`,
      async (visited) => {
        await done(visited)
        expect(received(await request(visited, '/allowed'))).toBe('{"shared":true}')
        expect(received(await request(visited, '?no-cors'))).toBe('OPAQUE')
        expect(received(await request(visited, '?cors'))).toBeOneOf([null, 'OPAQUE'])
        for (const { responseBodyOmitted: why } of visited.recorder.of('NETWORK_REQUEST')) {
          expect(why).toBeOneOf([null, ...BODY_OMISSIONS])
        }
      },
    ))

  test('there was none: redirects, HEAD, what is asked before a request of another origin', () =>
    visit(
      `
      await get('/redirect')
      await post('/redirect?posted', 'a note', { 'content-type': 'text/plain' })
      await fetch('/json?head', { method: 'HEAD' })
      await fetch(other + '/allowed?asked', { headers: { 'x-own': '1' } }).catch(() => 0)
      done()`,
      async (visited) => {
        await done(visited)
        const { recorder } = visited
        await request(visited, '?head')
        const entries = recorder.of('NETWORK_REQUEST').filter(({ url }) => !url.includes('/page/'))
        const reported = entries.map((entry) => [
          entry.method,
          new URL(entry.url).pathname,
          sent(entry),
          received(entry),
        ])
        expect(reported).toEqual(
          expect.arrayContaining([
            ['GET', '/redirect', null, null],
            ['GET', '/json', null, '{"greeting":"grüezi"}'],
            ['HEAD', '/json', null, null],
            ['OPTIONS', '/allowed', null, null],
          ]),
        )
      },
    ))
})

test('a body that a cache or a service worker answers with is recorded like any other', () =>
  visit(
    `
    await get('/cached'); await get('/cached')
    await navigator.serviceWorker.register('/service.js')
    await new Promise((claimed) => (navigator.serviceWorker.oncontrollerchange = claimed))
    await get('/answered')
    done()`,
    async (visited) => {
      await done(visited)
      const { recorder } = visited
      await expect.poll(() => recorder.requests('/cached').map(received)).toEqual(Array(2).fill('{"cached":true}'))
      expect(received(await request(visited, '/answered'))).toBe('{"by":"worker"}')
    },
  ))

test('a session that ends waits for what its requests have just received', () =>
  visit(`await Promise.all(Array.from({ length: 50 }, (_, i) => get('/json?' + i))); done()`, async (visited) => {
    await done(visited)
    await visited.session.flush(5_000)
    const bodies = visited.recorder.requests('/json').map(received)
    expect(bodies).toEqual(Array(50).fill('{"greeting":"grüezi"}'))
  }))
