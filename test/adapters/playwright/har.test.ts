import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import type { Har } from 'har-format'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { BrowsersDirectory } from '../../../src/adapters/playwright/launch/browsers-directory.ts'
import { createBrowserPipes } from '../../../src/adapters/playwright/cdp/pipe/browser-pipes.ts'
import { findBrowserExecutable } from '../../../src/adapters/playwright/launch/browser-executable.ts'
import { openBrowser } from '../../../src/adapters/playwright/launch/open-browser.ts'
import { HarBodies, type WholeEntry } from '../../../src/adapters/playwright/captures/har-bodies.ts'
import { HarRecording } from '../../../src/adapters/playwright/captures/har-recording.ts'
import { RecorderSet } from '../../../src/adapters/playwright/recorders/recorder-set.ts'
import { readHar } from '../../../src/adapters/playwright/captures/har-reader.ts'
import { HAR_LIMITS, type HarLimits } from '../../../src/ports/artifact.ts'
import type { EntryDraft } from '../../../src/ports/log-entry.ts'
import { NO_DEADLINE } from '../../support/patience.ts'
import { RecordingRecorder } from './recording-recorder.ts'
import { logger } from './test-pool.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tw-har-'))
})

afterEach(() => rm(folder, { recursive: true }))

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

describe('a HAR that Playwright wrote is read entry by entry', () => {
  const nasty = [
    { a: '}{][,"entries":[', b: { c: [{}, []] } },
    { quotes: '"\\"\\\\', 'brace "{"': '\\' },
    { long: 'x"😀{'.repeat(40_000) },
    {},
  ]

  test.each([
    ['none', []],
    ['nasty ones', nasty],
  ])('%s', async (_, entries) => {
    const pages = [{ title: ',"entries":[{' }]
    const path = join(folder, 'x.har')
    await writeFile(path, JSON.stringify({ log: { version: '1.2', pages, entries } }))
    const [head, ...found] = await all(readHar(path))
    expect(JSON.parse(`${head}]}}`)).toEqual({ log: { version: '1.2', pages, entries: [] } })
    expect(found.map((entry) => JSON.parse(entry) as unknown)).toEqual(entries)
  })

  test.each(['', '{"log":{"version":"1.2","entr', '{"log":{"version":"1.2","entries":[{"a":1},{"b":'])(
    'and not when it breaks off: %s',
    async (text) => {
      await writeFile(join(folder, 'x.har'), text)
      await expect(all(readHar(join(folder, 'x.har')))).rejects.toThrow('breaks off')
    },
  )
})

describe('bodies', () => {
  const LONG_TEXT = 'ä\u2028"}'.repeat(200_000)
  const BYTES = Buffer.from([0, 255, 1, 254])

  /** The entry as it is written, and its body. */
  async function embedded(entry: object, room = HAR_LIMITS.bodyBytes, until = Number.POSITIVE_INFINITY) {
    return JSON.parse((await all(new HarBodies(folder, room, until).embed(entryWith(entry)))).join('')) as WholeEntry
  }
  const entryWith = (parts: object) =>
    ({ request: {}, response: { status: 200, content: {} }, ...parts }) as unknown as WholeEntry
  const answer = (content: object) => ({ response: { status: 200, content } })

  test.each([
    ['text', Buffer.from('{"a":"\u2028"}'), undefined],
    ['nothing', Buffer.alloc(0), undefined],
    ['bytes', BYTES, 'base64'],
    ['much text', Buffer.from(LONG_TEXT), 'base64'],
    ['many bytes', Buffer.concat([BYTES, Buffer.alloc(1_000_000, 7)]), 'base64'],
  ])('of %s are put in', async (_, bytes, encoding) => {
    await writeFile(join(folder, 'body.dat'), bytes)
    const { content } = (await embedded(answer({ _file: 'body.dat', mimeType: 'a/b' }))).response
    const { text, ...others } = content
    expect(others).toEqual({ mimeType: 'a/b', ...(encoding ? { encoding } : {}) })
    expect(Buffer.from(text!, content.encoding as 'base64' | undefined).equals(bytes)).toBe(true)
  })

  test('of a WebSocket are its messages', async () => {
    const messages = [{ data: 'a\u2028b\r\n' }, { data: '2' }]
    await writeFile(join(folder, 'ws.jsonl'), messages.map((message) => `${JSON.stringify(message)}\n`).join(''))
    const socket = { _resourceType: 'websocket', ...answer({ _file: 'ws.jsonl' }) }
    expect(await embedded(socket)).toMatchObject({ _webSocketMessages: messages, response: { content: {} } })
  })

  test('that were posted are put in where they are text', async () => {
    await writeFile(join(folder, 'text'), 'name=Zoë')
    await writeFile(join(folder, 'bytes'), BYTES)
    const post = async (name: string) => (await embedded({ request: { postData: { text: '', _file: name } } })).request
    expect(await post('text')).toEqual({ postData: { text: 'name=Zoë' } })
    expect(await post('bytes')).toEqual({
      postData: { text: '', comment: expect.stringContaining('no text') as string },
    })
  })

  test('for which there is no room, no time or no file are left out, and it is said', async () => {
    await writeFile(join(folder, 'four'), 'four')
    const content = { comment: expect.stringContaining('left out') as string }
    expect((await embedded(answer({ _file: 'four' }), 3)).response.content).toEqual(content)
    expect((await embedded(answer({ _file: 'four' }), 4, 0)).response.content).toEqual(content)
    expect((await embedded(answer({ _file: 'none' }))).response.content).toEqual(content)
    const bodies = new HarBodies(folder, 7, Number.POSITIVE_INFINITY)
    const next = async () => (await all(bodies.embed(entryWith(answer({ _file: 'four' }))))).join('')
    expect(await next()).toContain('"text":"four"')
    expect(await next()).toContain('left out')
  })
})

describe('a HAR', () => {
  const bodyOf = (path: string) => `<title>x</title>at ${path}`.padEnd(1_000)
  let server: Server
  let url: string

  beforeEach(async () => {
    server = createServer((request, response) => {
      if (request.url === '/open') return
      response.setHeader('content-type', 'text/html').end(bodyOf(request.url!))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return () => {
      server.closeAllConnections()
      server.close()
    }
  })

  /** What is in a HAR of a page that asks for these one after the other: paths, and bodies or null. */
  async function record(limits: HarLimits, paths: readonly string[], stopsAfter: string | null = null) {
    const executable = findBrowserExecutable(process.env['TABWIRE_BROWSER_PATH'] ?? null)
    const mode = { executable, sandboxed: false, firstUid: null, ownUids: false }
    const {
      process: browser,
      targets,
      context,
      page,
    } = await openBrowser(mode, new BrowsersDirectory(folder, logger), createBrowserPipes(), null, logger, NO_DEADLINE)
    onTestFinished(() => browser.close(0))
    const { wire, folders } = browser
    const har = new HarRecording(folders.recordings, limits)
    const recorder = new RecordingRecorder()
    const note = (draft: EntryDraft) => {
      if (draft.kind === 'NETWORK_REQUEST') har.note(draft.data)
    }
    const recording = new RecorderSet(wire, targets, recorder, true, folders.downloads, logger, { note })
    onTestFinished(() => recording.stop())
    await har.start(context)
    // Later ones are fetched: a page that is left takes along what it has not given yet.
    await page.goto(`${url}${paths[0]}`)
    for (const path of paths.slice(1)) {
      if (path === '/open') {
        const asked = page.waitForRequest((request) => request.url().endsWith(path))
        await page.evaluate((it) => void fetch(it).catch(() => {}), path)
        await asked
        continue
      }
      await page.evaluate(async (it) => (await fetch(it)).text(), path)
      await expect.poll(() => recorder.requestsTo(`${url}${path}`)).toHaveLength(1)
      // Playwright writes its HAR when it is stopped, which takes a moment.
      if (path !== stopsAfter) continue
      await expect.poll(() => existsSync(join(folders.recordings, 'requests.har'))).toBe(true)
      await page.evaluate(() => stop())
    }
    recording.flush('session ended')
    const file = await har.finish(10_000)
    const { log } = (await json(await file.open())) as Har
    return log.entries.map(({ request, response }) => [new URL(request.url).pathname, response.content.text ?? null])
  }

  const whole = (path: string) => [path, bodyOf(path)]

  test.each([
    ['requests', { ...HAR_LIMITS, requests: 2 }],
    ['bytes', { ...HAR_LIMITS, bodyBytes: 1_500 }],
  ])('is whole up to a number of %s, and goes on without bodies', async (_, limits) => {
    const paths = ['/1', '/2', '/3', '/4']
    const found = await record(limits, paths, '/2')
    expect(found.map(([path]) => path)).toEqual(paths)
    // Of the one that makes it full, the body may come too late.
    expect([found[0], ...found.slice(2)]).toEqual([whole('/1'), ['/3', null], ['/4', null]])
  })

  test('that is full has what was under way once, as it ended if it did', async () => {
    const limits = { ...HAR_LIMITS, requests: 2 }
    const ended = await record(limits, ['/1', '/open', '/2', '/3'], '/2')
    expect(ended.map(([path]) => path).toSorted()).toEqual(['/1', '/2', '/3', '/open'])
    const stillOpen = await record(limits, ['/1', '/open', '/2'])
    expect(stillOpen.map(([path]) => path).toSorted()).toEqual(['/1', '/2', '/open'])
  })

  test('that becomes full while more comes has each once', async () => {
    const paths = ['/1', '/2', '/3', '/4', '/5']
    const found = await record({ ...HAR_LIMITS, requests: 1 }, paths)
    expect(found.map(([path]) => path)).toEqual(paths)
  })

  test('below its limits has what is still under way', async () => {
    expect(await record(HAR_LIMITS, ['/1', '/open'])).toEqual([whole('/1'), ['/open', null]])
  })
})
