import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WorkerEgress } from '../../../src/adapters/egress/thread/worker-egress.ts'
import { BrowserProxies } from '../../../src/adapters/playwright/launch/browser-proxies.ts'
import type { BrowserOptions, BrowserSession } from '../../../src/ports/browser/browser.ts'
import { TEXT_LIMITS, type EntryData, type WebSocketMessage } from '../../../src/ports/log/log-entry.ts'
import { DEFAULT_CAPTURE } from '../../../src/ports/browser/capture.ts'
import { NO_DEADLINE } from '../../support/time-limits.ts'
import { startSocketSite, type SocketSite } from '../../support/site-sockets.ts'
import type { RecordingRecorder } from './recording-recorder.ts'
import { logger, startTestPool, type TestPool } from './test-pool.ts'

const SCRIPTS = {
  talk: `const socket = new WebSocket(ws + '/echo')
    socket.binaryType = 'arraybuffer'
    let echoed = 0
    socket.onopen = () => { socket.send('grüezi'); socket.send(new Uint8Array([1, 2, 255])); socket.send('') }
    socket.onmessage = () => { if (++echoed === 3) socket.close() }`,
  large: `const socket = new WebSocket(ws + '/echo')
    let echoed = 0
    socket.onopen = () => { socket.send('é'.repeat(100_000)); socket.send(new Uint8Array(100_000)) }
    socket.onmessage = () => { if (++echoed === 2) socket.close() }`,
  flood: `const socket = new WebSocket(ws + '/flood?n=3000&size=10')
    socket.onmessage = ({ data }) => { if (data === 'done') socket.send('close, please') }`,
  torrent: `const socket = new WebSocket(ws + '/flood?n=4000&size=4000')
    socket.onmessage = ({ data }) => { if (data === 'done') socket.send('close, please') }`,
  stays: `new WebSocket(ws + '/stay')`,
  framed: `const frame = document.body.appendChild(document.createElement('iframe'))
    frame.src = '/page/stays'`,
  unframed: `const frame = document.body.appendChild(document.createElement('iframe'))
    frame.src = '/page/stays'
    frame.onload = () => frame.contentWindow.eval("new WebSocket(ws + '/stay').onmessage = () => parent.gone()")
    window.gone = () => frame.remove()`,
  refused: `new WebSocket(ws + '/refused')`,
  silent: `new WebSocket(ws + '/silent')`,
  early: `new WebSocket(ws + '/silent').close()`,
  workers: `new Worker('/script/worker'); new SharedWorker('/script/worker')
    navigator.serviceWorker.register('/script/worker')`,
  worker: `const socket = new WebSocket(ws + '/echo')
    socket.onopen = () => socket.send('from ' + self.constructor.name)
    socket.onmessage = () => socket.close()`,
  stayingWorker: `new WebSocket(ws + '/stay')`,
  crew: `const worker = new Worker('/script/stayingWorker')`,
  ends: `const open = (path, then = () => {}) => { const socket = new WebSocket(ws + path); socket.onopen = () => then(socket) }
    open('/close?code=1011&reason=out+of+order'); open('/close?code=1000'); open('/close'); open('/cut')
    open('/echo?1', (socket) => socket.close(4000, 'seen enough')); open('/echo?2', (socket) => socket.close())`,
  events: `const source = new EventSource('/events')
    source.addEventListener('named', () => undefined)`,
}

let site: SocketSite
let pool: TestPool
let egress: WorkerEgress
/** Its browsers have a proxy each. */
let proxied: TestPool

beforeAll(async () => {
  site = await startSocketSite(SCRIPTS)
  pool = await startTestPool({ warm: 1 })
  egress = new WorkerEgress(logger)
  proxied = await startTestPool({ warm: 0, browserProxies: new BrowserProxies(egress, true) })
})

afterAll(async () => {
  await pool.close()
  await proxied.close()
  await egress.close()
  await site.close()
})

function until<T>(read: () => T) {
  return expect.poll(read, { interval: 10 })
}

interface Visit {
  session: BrowserSession
  recorder: RecordingRecorder
}

async function visit(
  page: string,
  look: (visit: Visit) => Promise<void>,
  options: Partial<BrowserOptions> = {},
  browsers = pool,
) {
  const { session, recorder } = await browsers.start(options)
  await session.open(`${site.url}/page/${page}`, NO_DEADLINE)
  await look({ session, recorder })
  await session.close(1_000)
}

const closed = (recorder: RecordingRecorder) => recorder.of('WEB_SOCKET_CLOSED')

/** All messages of a session, in order. */
const messagesOf = (recorder: RecordingRecorder): WebSocketMessage[] =>
  recorder.of('WEB_SOCKET_MESSAGES').flatMap(({ messages }) => messages)

/** Stored and counted messages of one socket, by direction. */
function accounted(
  recorder: RecordingRecorder,
  { webSocketId, omittedSent, omittedReceived }: EntryData['WEB_SOCKET_CLOSED'],
) {
  const batches = recorder.of('WEB_SOCKET_MESSAGES').filter((batch) => batch.webSocketId === webSocketId)
  const stored = (direction: string) =>
    batches.flatMap(({ messages }) => messages).filter((message) => message.direction === direction).length
  const sum = (member: 'omittedSent' | 'omittedReceived') => batches.reduce((total, batch) => total + batch[member], 0)
  return {
    framesSent: stored('SENT') + sum('omittedSent') + omittedSent,
    framesReceived: stored('RECEIVED') + sum('omittedReceived') + omittedReceived,
  }
}

describe('messages of a WebSocket', () => {
  test('are recorded in both directions, text and bytes, with size and time', () =>
    visit('talk', async ({ recorder }) => {
      const before = Date.now() - 60_000
      await until(() => closed(recorder).length).toBe(1)
      const whole = { truncated: false }
      const text = { opcode: 'TEXT', text: 'grüezi', base64: null, sizeBytes: 7, ...whole }
      const bytes = { opcode: 'BINARY', text: null, base64: 'AQL/', sizeBytes: 3, ...whole }
      const empty = { opcode: 'TEXT', text: '', base64: null, sizeBytes: 0, ...whole }
      const of = (direction: string) => messagesOf(recorder).filter((message) => message.direction === direction)
      expect(of('SENT')).toMatchObject([text, bytes, empty])
      expect(of('RECEIVED')).toMatchObject([text, bytes, empty])
      for (const { at } of messagesOf(recorder)) expect(at > before && at <= Date.now()).toBe(true)
      expect(recorder.of('WEB_SOCKET_MESSAGES')[0]).toMatchObject({
        webSocketId: 1,
        url: `${site.socketUrl}/echo`,
        pageId: 'p1',
        omittedSent: 0,
        omittedReceived: 0,
      })
      expect(closed(recorder)).toMatchObject([{ framesSent: 3, framesReceived: 3, error: null, omittedSent: 0 }])
      const kinds = recorder.drafts.map(({ kind }) => kind).filter((kind) => kind.startsWith('WEB_SOCKET'))
      expect([kinds[0], kinds.at(-1)]).toEqual(['WEB_SOCKET_OPENED', 'WEB_SOCKET_CLOSED'])
    }))

  test('are cut where they are long, and say so', () =>
    visit('large', async ({ recorder }) => {
      await until(() => closed(recorder).length).toBe(1)
      const cut = messagesOf(recorder).map(({ direction, opcode, sizeBytes, text, base64, truncated }) => ({
        is: [direction, opcode, sizeBytes, truncated],
        starts: [text === 'é'.repeat(TEXT_LIMITS.message), base64 === 'A'.repeat(TEXT_LIMITS.message)],
      }))
      const expected = ['SENT', 'RECEIVED'].flatMap((direction) => [
        { is: [direction, 'TEXT', 200_000, true], starts: [true, false] },
        { is: [direction, 'BINARY', 100_000, true], starts: [false, true] },
      ])
      expect(cut).toHaveLength(4)
      expect(cut).toEqual(expect.arrayContaining(expected))
    }))

  test('come in batches, each no larger than its bounds', () =>
    visit('flood', async ({ recorder }) => {
      await until(() => closed(recorder).length).toBe(1)
      const batches = recorder.of('WEB_SOCKET_MESSAGES')
      expect(Math.max(...batches.map(({ messages }) => messages.length))).toBeLessThanOrEqual(100)
      expect(messagesOf(recorder)).toHaveLength(3002)
      expect(closed(recorder)).toMatchObject([{ framesSent: 1, framesReceived: 3001, omittedReceived: 0 }])
    }))

  test('of a torrent are stored or counted, each of them', () =>
    visit('torrent', async ({ recorder }) => {
      await until(() => closed(recorder).length).toBe(1)
      const [end] = closed(recorder)
      expect(end).toMatchObject({ framesSent: 1, framesReceived: 4001 })
      expect(accounted(recorder, end!)).toEqual({ framesSent: 1, framesReceived: 4001 })
      for (const { messages } of recorder.of('WEB_SOCKET_MESSAGES')) {
        expect(messages.reduce((sum, { text }) => sum + (text?.length ?? 0), 0)).toBeLessThan(70_000)
      }
    }))

  test('are counted only where a session does not want them', () =>
    visit(
      'talk',
      async ({ recorder }) => {
        await until(() => closed(recorder).length).toBe(1)
        expect(messagesOf(recorder)).toEqual([])
        const all = { framesSent: 3, framesReceived: 3, omittedSent: 3, omittedReceived: 3 }
        expect(closed(recorder)).toMatchObject([all])
      },
      { capture: { ...DEFAULT_CAPTURE, webSocketMessages: false } },
    ))

  test('of workers are recorded like those of pages', () =>
    visit('workers', async ({ recorder }) => {
      await until(() => closed(recorder).length).toBe(3)
      const sent = recorder
        .of('WEB_SOCKET_MESSAGES')
        .flatMap(({ pageId, messages }) =>
          messages.filter(({ direction }) => direction === 'SENT').map(({ text }) => [text, pageId]),
        )
      expect(sent.toSorted()).toEqual([
        ['from DedicatedWorkerGlobalScope', 'p1'],
        ['from ServiceWorkerGlobalScope', null],
        ['from SharedWorkerGlobalScope', null],
      ])
      for (const opened of recorder.of('WEB_SOCKET_OPENED')) expect(opened.status).toBe(101)
    }))
})

describe('the handshake of a WebSocket', () => {
  test('is recorded with its status and the headers of both sides', () =>
    visit('stays', async ({ recorder }) => {
      await until(() => recorder.of('WEB_SOCKET_OPENED').length).toBe(1)
      expect(recorder.of('WEB_SOCKET_OPENED')).toMatchObject([
        {
          webSocketId: 1,
          url: `${site.socketUrl}/stay`,
          pageId: 'p1',
          status: 101,
          requestHeaders: { upgrade: 'websocket', origin: site.url, cookie: 'visitor=ann' },
          responseHeaders: { upgrade: 'websocket', 'sec-websocket-accept': expect.any(String) },
        },
      ])
    }))

  test('that is refused tells the status', () =>
    visit('refused', async ({ recorder }) => {
      await until(() => closed(recorder).length).toBe(1)
      expect(recorder.of('WEB_SOCKET_OPENED')).toMatchObject([{ status: 403, responseHeaders: null }])
      expect(closed(recorder)).toMatchObject([
        { status: 403, closedBy: 'FAILURE', error: expect.stringContaining('403') },
      ])
    }))

  test('that is never answered is recorded all the same', () =>
    visit('silent', async ({ session, recorder }) => {
      await until(() => recorder.of('WEB_SOCKET_OPENED')).toMatchObject([{ status: null, responseHeaders: null }])
      await session.flush(1_000)
      expect(closed(recorder)).toMatchObject([{ status: null, closedBy: 'SESSION', error: 'session ended' }])
    }))

  test('that the page itself gives up is no failure of the server', () =>
    visit('early', async ({ recorder }) => {
      await until(() => closed(recorder).length).toBe(1)
      expect(closed(recorder)).toMatchObject([{ status: null, closedBy: 'PAGE' }])
    }))
})

describe('a WebSocket that is open', () => {
  test.each(['stays', 'framed', 'crew'])('is closed when its page is left: %s', (page) =>
    visit(page, async ({ session, recorder }) => {
      await until(() => messagesOf(recorder).length).toBe(1)
      await session.open(`${site.url}/page/nothing`, NO_DEADLINE)
      await until(() => closed(recorder).length).toBe(1)
      const left = { framesReceived: 1, error: null, closedBy: 'DOCUMENT', pageId: 'p1' }
      expect(closed(recorder)).toMatchObject([left])
      await until(() => site.openSockets()).toBe(0)
    }),
  )

  test('stays open when its page goes to another part of the document', () =>
    visit('stays', async ({ session, recorder }) => {
      await until(() => messagesOf(recorder).length).toBe(1)
      await session.open(`${site.url}/page/stays#part`, NO_DEADLINE)
      await session.flush(1_000)
      expect(closed(recorder)).toMatchObject([{ closedBy: 'SESSION' }])
    }))

  test('is closed when its frame is removed', () =>
    visit('unframed', async ({ recorder }) => {
      await until(() => closed(recorder).length).toBe(2)
      expect(closed(recorder)).toMatchObject([{ error: null }, { error: null }])
    }))

  test('is closed by the end of the session', () =>
    visit('stays', async ({ session, recorder }) => {
      await until(() => messagesOf(recorder).length).toBe(1)
      await session.flush(1_000)
      expect(closed(recorder)).toMatchObject([{ error: 'session ended', closedBy: 'SESSION' }])
    }))
})

describe('the end of a WebSocket', () => {
  const endsOf = (recorder: RecordingRecorder) =>
    closed(recorder)
      .map(({ url, closedBy, closeCode, closeReason, error }) => [
        url.slice(site.socketUrl.length),
        closedBy,
        closeCode,
        closeReason,
        error,
      ])
      .toSorted()

  test('is told with code, reason and side where the browser has a proxy', () =>
    visit(
      'ends',
      async ({ recorder }) => {
        await until(() => closed(recorder).length).toBe(6)
        expect(endsOf(recorder)).toEqual([
          ['/close', 'SERVER', 1005, '', null],
          ['/close?code=1000', 'SERVER', 1000, '', null],
          ['/close?code=1011&reason=out+of+order', 'SERVER', 1011, 'out of order', null],
          ['/cut', 'FAILURE', 1006, '', 'connection lost'],
          ['/echo?1', 'PAGE', 4000, 'seen enough', null],
          ['/echo?2', 'PAGE', 1005, '', null],
        ])
      },
      {},
      proxied,
    ))

  test('is told without them where it has none', () =>
    visit('ends', async ({ recorder }) => {
      await until(() => closed(recorder).length).toBe(6)
      for (const end of endsOf(recorder)) expect(end.slice(1)).toEqual([null, null, null, null])
    }))
})

test('server-sent events of an EventSource are recorded with name, id and data', () =>
  visit('events', async ({ recorder }) => {
    const events = () => recorder.of('EVENT_SOURCE_MESSAGES').flatMap(({ messages }) => messages)
    await until(() => events().length).toBe(3)
    const whole = { eventId: '7', truncated: false }
    expect(events()).toMatchObject([
      { eventName: 'message', data: 'one', sizeBytes: 3, ...whole },
      { eventName: 'named', data: 'two\nlines', sizeBytes: 9, ...whole },
      { eventName: 'message', data: 'y'.repeat(TEXT_LIMITS.message), sizeBytes: 10_000, truncated: true },
    ])
    const [request] = [...recorder.inFlight.values()].filter(({ url }) => url.endsWith('/events'))
    expect(recorder.of('EVENT_SOURCE_MESSAGES')[0]).toMatchObject({
      requestId: request?.requestId,
      url: `${site.url}/events`,
      pageId: 'p1',
      omitted: 0,
    })
  }))
