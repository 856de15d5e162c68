import { getEventListeners, once } from 'node:events'
import { createServer as createHttpServer, type ServerResponse } from 'node:http'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { openDiskArtifactStore } from '../../src/adapters/artifacts/disk.ts'
import { TabwireError } from '../../src/domain/kernel/errors.ts'
import type { SessionHandle } from '../../src/domain/sessions/session-handle.ts'
import type { LogEntry } from '../../src/ports/log/log-entry.ts'
import { KeepingClient } from '../support/keeping-client.ts'
import { OWNER, type useLiveSessions } from '../support/live-sessions.ts'
import { blockingModel } from '../support/blocking-model.ts'
import { history, store } from '../support/session-log.ts'
import { startLiveSite, type LiveSite } from '../support/site-live.ts'
import { codeOf, describeUploads, NEVER } from './handle-uploads.contract.ts'

const VIEWPORT = { width: 400, height: 300 }
/** Contract of every session handle. `reach`: returns the handle under test, for a local session. */
export function describeSessionHandle(
  { sessionsOver }: ReturnType<typeof useLiveSessions>,
  reach: (handle: SessionHandle) => SessionHandle,
): void {
  let folder: string
  let site: LiveSite
  let start: () => Promise<SessionHandle>
  /** For tests that leave the session unchanged. */
  let handle: SessionHandle

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tabwire-handle-'))
    site = await startLiveSite()
    const bytes = await openDiskArtifactStore(folder)
    const { sessions } = sessionsOver(store, { bytes, model: blockingModel, quotaBytes: 1024 * 1024 })
    start = async () => {
      const { id } = await sessions.start(OWNER, { viewport: VIEWPORT }, 'CREATING', NEVER)
      return reach((await sessions.handle(id))!)
    }
    handle = await startRunning()
  })

  afterAll(async () => {
    await handle.end()
    await site.close()
    await rm(folder, { recursive: true, force: true })
  })

  /** Waits however long the browser takes to start. */
  async function startRunning(): Promise<SessionHandle> {
    const started = await start()
    for (;;) {
      const { status, error } = await started.reached('RUNNING', NEVER)
      if (status === 'RUNNING') return started
      if (status !== 'CREATING') throw new Error(`the session is ${status}: ${error}`)
    }
  }

  const open = (path: string, of = handle) =>
    of.act({ pageId: null, actions: [{ navigate: { url: `${site.url}${path}` } }] }, NEVER)
  const evaluate = async (expression: string, of = handle) =>
    (await of.act({ pageId: null, actions: [{ evaluate: { expression } }] }, NEVER))[0]!.data.result
  /** What comes after the last frame: the page may be painted again before that. */
  const endOf = async (frames: AsyncIterator<unknown>) => {
    for (;;) {
      const next = await frames.next()
      if (next.done) return next
    }
  }
  const entriesOf = async (kind: LogEntry['kind'], of = handle) =>
    (await history(of.sessionId)).filter((entry) => entry.kind === kind)

  describe('state', () => {
    test('is that of the session', async () => {
      expect(handle.owner).toBe(OWNER)
      expect(await handle.snapshot()).toMatchObject({ id: handle.sessionId, owner: OWNER, status: 'RUNNING' })
      expect(await handle.reached('LOADED', NEVER)).toMatchObject({ status: 'RUNNING' })
      await expect.poll(() => handle.health()).toMatchObject({ status: 'HEALTHY', browserResponsive: true })
      expect(await handle.browserVersion()).toMatchObject({ product: expect.stringContaining('Chrome') as string })
    })

    test('is changed, and the store has the change', async () => {
      expect(await handle.update({ name: 'changed', metadata: { nested: [1, null, '\u2603'] } })).toMatchObject({
        name: 'changed',
        metadata: { nested: [1, null, '\u2603'] },
      })
      expect(await store.findSession(handle.sessionId)).toMatchObject({ name: 'changed' })
    })

    test('is told after the signal also of a session that is not there yet', async () => {
      const signal = AbortSignal.abort()
      const fresh = await start()
      expect(['CREATING', 'RUNNING']).toContain((await fresh.reached('RUNNING', signal)).status)
      await fresh.end()
    })

    test('has requests that have not settled', async () => {
      const sockets: Socket[] = []
      const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1')
      await once(silent, 'listening')
      const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/never`
      // Ends with its page: a fetch may outlive it, and is awaited longer.
      await evaluate(`void (new Image().src = '${url}')`)
      await expect.poll(() => handle.pendingRequests(10)).toMatchObject([{ url, method: 'GET', pageId: 'p1' }])
      await open('/red')
      await expect.poll(() => handle.pendingRequests(10)).toEqual([])
      silent.close()
      for (const socket of sockets) socket.destroy()
    })

    test('tells how much of a response has come of a request that has not settled', async () => {
      const streams = createHttpServer((_, response) => {
        response.writeHead(200, { 'content-type': 'text/plain', 'access-control-allow-origin': '*' }).write('begun')
      }).listen(0, '127.0.0.1')
      await once(streams, 'listening')
      const url = `http://127.0.0.1:${(streams.address() as AddressInfo).port}/`
      await evaluate(`void fetch('${url}').then((response) => response.text())`)
      const begun = { url, status: 200, responseHeaders: { 'content-type': 'text/plain' }, responseBytes: 5 }
      await expect.poll(() => handle.pendingRequests(10)).toMatchObject([begun])
      streams.closeAllConnections()
      await expect.poll(() => handle.pendingRequests(10)).toEqual([])
      streams.close()
    })
  })

  describe('actions', () => {
    test('are taken in order, and each is the entry that the log has', async () => {
      const actions = [
        { navigate: { url: `${site.url}/red` } },
        { evaluate: { expression: 'document.title' } },
        { click: { target: { css: '#none' }, timeoutMs: 1_000 } },
        { evaluate: { expression: '1' } },
      ]
      const entries = await handle.act({ pageId: null, actions }, NEVER)
      expect(entries.map(({ data }) => [data.type, data.error?.code ?? null])).toEqual([
        ['NAVIGATE', null],
        ['EVALUATE', null],
        ['CLICK', expect.any(String)],
        ['EVALUATE', 'SKIPPED'],
      ])
      expect(entries[1]!.data.result).toBe('Live')
      expect((await history(handle.sessionId)).filter(({ kind }) => kind === 'ACTION')).toEqual(
        expect.arrayContaining(entries),
      )
      // The browser tells of titles apart from what actions do.
      const pages = [{ pageId: 'p1', url: `${site.url}/red`, title: 'Live' }]
      await expect.poll(() => handle.pages()).toEqual(pages)
    })

    test('that break rules are refused with all of them', async () => {
      const actions = [{ navigate: { url: '' } }, { reload: 3 }]
      const refusal: unknown = await handle.act({ pageId: null, actions }, NEVER).catch((error: unknown) => error)
      expect(refusal).toBeInstanceOf(TabwireError)
      expect(refusal).toMatchObject({ code: 'BAD_USER_INPUT', message: expect.any(String) as string })
      const { issues } = (refusal as TabwireError).extensions as { issues: { path: unknown[] }[] }
      expect(new Set(issues.map(({ path }) => path[1]))).toEqual(new Set([0, 1]))
    })

    test('need a page that is there', async () => {
      const actions = [{ evaluate: { expression: '1' } }]
      expect(await codeOf(handle.act({ pageId: 'p99', actions }, NEVER))).toBe('NOT_FOUND')
    })

    test('that wait are canceled by the signal', async () => {
      const leaving = new AbortController()
      const act = (expression: string) =>
        handle.act({ pageId: null, actions: [{ evaluate: { expression } }] }, leaving.signal)
      const held = createHttpServer().listen(0, '127.0.0.1')
      onTestFinished(() => void held.close())
      await once(held, 'listening')
      const url = `http://127.0.0.1:${(held.address() as AddressInfo).port}/`
      const first = act(`fetch('${url}', { mode: 'no-cors' }).then(() => 'done')`)
      const [, response] = (await once(held, 'request')) as [unknown, ServerResponse]
      const second = act('1')
      leaving.abort()
      expect((await second).map(({ data }) => data.error?.code)).toEqual(['CANCELLED'])
      response.setHeader('connection', 'close').end()
      expect((await first).map(({ data }) => data.result)).toEqual(['done'])
    })
  })

  describe('observation', () => {
    test('is of the page, with a picture in bytes', async () => {
      await open('/red')
      const observed = await handle.observe({ pageId: 'p1', withPicture: true }, NEVER)
      expect(observed).toMatchObject({ url: `${site.url}/red`, title: 'Live', truncated: 0 })
      expect([...observed.picture!.subarray(0, 2)]).toEqual([0xff, 0xd8])
      const blind = await handle.observe({ pageId: 'p1', withPicture: false, maxCharacters: null }, NEVER)
      expect(blind.picture).toBeNull()
    })

    test('fails by code', async () => {
      expect(await codeOf(handle.observe({ pageId: 'p99', withPicture: false }, NEVER))).toBe('NOT_FOUND')
      const given = { pageId: 'p1', withPicture: false, maxCharacters: 1 }
      expect(await codeOf(handle.observe(given, NEVER))).toBe('BAD_USER_INPUT')
    })
  })

  describe('log', () => {
    test('has an end, and a tail that is as the store has it', async () => {
      await evaluate('console.log("for the tail")')
      const { lastSequence, ended } = await handle.logHead()
      expect(ended).toBe(false)
      const stored = (await history(handle.sessionId)).slice(0, lastSequence)
      expect((await handle.logTail(0, lastSequence, 1e9))!).toEqual(stored)
      expect(await handle.logTail(lastSequence - 2, 1, 1e9)).toEqual(stored.slice(-2, -1))
      expect(await handle.logTail(lastSequence - 2, 10, 1)).toHaveLength(1)
    })
  })

  describe('live view', () => {
    test('has a frame at once, and then those of what changes', async () => {
      await open('/red')
      const frames = await handle.watch({ pageId: null }, NEVER)
      const { value: first } = await frames.next()
      expect(first).toMatchObject({ pageId: 'p1', skipped: 0, viewport: VIEWPORT })
      expect(Buffer.from(first!.jpeg, 'base64').subarray(0, 2)).toEqual(Buffer.from([0xff, 0xd8]))
      const next = frames.next()
      await open('/blue')
      expect((await next).value!.at).toBeGreaterThanOrEqual(first!.at)
      await frames.return!()
    })

    test('skips frames for a reader that is slow, and never queues them', async () => {
      await open('/red')
      const frames = await handle.watch({ pageId: 'p1' }, NEVER)
      await frames.next()
      let skipped = 0
      while (skipped === 0) {
        // Nothing is read while the page shows one color after the other.
        await evaluate(`(async () => {
          for (const color of ['#0f0', '#00f', '#ff0', '#f00']) {
            document.body.style.background = color
            await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))
          }
        })()`)
        const { value } = await frames.next()
        expect(value).toMatchObject({ pageId: 'p1' })
        skipped += value!.skipped
      }
      await frames.return!()
    })

    test('ends by its reader while a frame is waited for, and by the signal', async () => {
      await open('/red')
      const [left, leaving] = [await handle.watch({ pageId: 'p1' }, NEVER), new AbortController()]
      await left.next()
      const waiting = endOf(left)
      await left.return!()
      expect(await waiting).toEqual({ done: true, value: undefined })
      const canceled = await handle.watch({ pageId: 'p1' }, leaving.signal)
      await canceled.next()
      const last = endOf(canceled)
      leaving.abort()
      expect(await last).toEqual({ done: true, value: undefined })
    })

    test('is refused by code', async () => {
      expect(await codeOf(handle.watch({ pageId: 'p99' }, NEVER))).toBe('NOT_FOUND')
      expect(await codeOf(handle.watch({ pageId: null, maxFps: 0 }, NEVER))).toBe('BAD_USER_INPUT')
    })

    test('has input', async () => {
      await open('/input')
      const events = [{ mouse: { type: 'MOVE', x: 10, y: 210 } }]
      expect(await handle.dispatchInput({ pageId: null, events }, NEVER)).toBe(true)
      await expect.poll(() => evaluate('seen.join()')).toContain('mousemove')
      expect(await codeOf(handle.dispatchInput({ pageId: null, events: [] }, NEVER))).toBe('BAD_USER_INPUT')
      expect(await codeOf(handle.dispatchInput({ pageId: 'p99', events }, NEVER))).toBe('NOT_FOUND')
    })
  })

  describe('clients', () => {
    test('speak the protocol of the browser, under their name', async () => {
      const client = new KeepingClient()
      const attached = await handle.attachClient('a client', client)
      void attached.receive([Buffer.from(JSON.stringify({ id: 7, method: 'Browser.getVersion' }))])
      expect(await client.answerTo(7)).toMatchObject({ result: { product: expect.any(String) as string } })
      await attached.leave('CLIENT_LEFT')
      await handle.update({})
      expect((await entriesOf('CLIENT_ATTACHED')).at(-1)).toMatchObject({ data: { name: 'a client' } })
      expect((await entriesOf('CLIENT_DETACHED')).at(-1)).toMatchObject({
        data: { name: 'a client', reason: 'CLIENT_LEFT', commandCount: 1 },
      })
    })

    test('that do not take what they are sent are disconnected', async () => {
      const client = new KeepingClient()
      client.unsentBytes = 1e9
      const attached = await handle.attachClient('a client', client)
      const asking = setInterval(
        () => void attached.receive([Buffer.from(JSON.stringify({ id: 1, method: 'Browser.getVersion' }))]),
        10,
      )
      onTestFinished(() => clearInterval(asking))
      expect(await client.closed.promise).toEqual([4008, expect.any(String)])
      await attached.leave('CUT_OFF')
    })

    test('are told of the end of the session', async () => {
      const ending = await startRunning()
      const client = new KeepingClient()
      await ending.attachClient('a client', client)
      await ending.end()
      expect(await client.closed.promise).toEqual([4001, expect.stringContaining('TERMINATED')])
    })
  })

  describe('tasks', () => {
    test('run one at a time, and are canceled', async () => {
      const task = await handle.startTask({ prompt: 'wait' })
      expect(task).toMatchObject({ sessionId: handle.sessionId, owner: OWNER, prompt: 'wait', status: 'RUNNING' })
      expect(await codeOf(handle.startTask({ prompt: 'another' }))).toBe('TASK_RUNNING')
      expect(await codeOf(handle.startTask({ prompt: '' }))).toBe('BAD_USER_INPUT')
      expect(await handle.cancelTask(task.id)).toMatchObject({ id: task.id, status: 'CANCELLED' })
      expect(await codeOf(handle.cancelTask(task.id))).toBe('SESSION_NOT_RUNNING')
    })
  })

  describeUploads(() => handle)

  describe('profiles', () => {
    test('are saved for the owner', async () => {
      const profile = await handle.saveProfile('mine', NEVER)
      expect(profile).toMatchObject({ name: 'mine', owner: OWNER, sizeBytes: expect.any(Number) as number })
      expect(await store.describeProfile(profile.id)).toEqual(profile)
    })

    test('are not waited for beyond the signal', async () => {
      expect(await codeOf(handle.saveProfile('late', AbortSignal.abort()))).toBe('TIMEOUT')
    })
  })

  describe('a signal', () => {
    test('is left as it was found', async () => {
      const { signal } = new AbortController()
      const actions = [{ evaluate: { expression: '1' } }]
      await handle.act({ pageId: null, actions }, signal)
      await handle.reached('LOADED', signal)
      expect(await codeOf(handle.observe({ pageId: 'p99', withPicture: false }, signal))).toBe('NOT_FOUND')
      expect(await codeOf(handle.watch({ pageId: 'p99' }, signal))).toBe('NOT_FOUND')
      await handle.dispatchInput({ pageId: null, events: [{ mouse: { type: 'MOVE', x: 1, y: 1 } }] }, signal)
      const frames = await handle.watch({ pageId: null }, signal)
      await frames.next()
      await frames.return!()
      await handle.saveProfile('unheard', signal)
      await expect.poll(() => getEventListeners(signal, 'abort')).toEqual([])
    })
  })

  describe('end', () => {
    test('comes once, ends what is open, and leaves nothing that could be asked', async () => {
      const ending = await startRunning()
      const frames = await ending.watch({ pageId: null }, NEVER)
      await frames.next()
      const rest = endOf(frames)
      await Promise.all([ending.end(), ending.end()])
      expect(await rest).toEqual({ done: true, value: undefined })
      expect(await store.findSession(ending.sessionId)).toMatchObject({ status: 'CLOSED', endReason: 'TERMINATED' })
      const given = { pageId: null, actions: [{ evaluate: { expression: '1' } }] }
      const answers: Record<string, Promise<unknown>> = {
        act: ending.act(given, NEVER),
        observe: ending.observe({ pageId: 'p1', withPicture: false }, NEVER),
        update: ending.update({ name: 'late' }),
        watch: ending.watch({ pageId: null }, NEVER),
        dispatchInput: ending.dispatchInput({ pageId: null, events: [{ mouse: { type: 'MOVE', x: 1, y: 1 } }] }, NEVER),
        browserVersion: ending.browserVersion(),
        attachClient: ending.attachClient('late', new KeepingClient()),
        startTask: ending.startTask({ prompt: 'late' }),
        saveProfile: ending.saveProfile('late', NEVER),
      }
      const members = Object.keys(answers)
      const codes = await Promise.all(Object.values(answers).map((answer) => codeOf(answer)))
      expect(codes.map((code, index) => [members[index], code])).toEqual(
        members.map((member) => [member, 'SESSION_NOT_RUNNING']),
      )
      // An existing ticket still permits the upload, but the log has ended.
      const upload = { id: crypto.randomUUID(), name: 'late.txt', contentType: 'text/plain', announcedBytes: null }
      const kept = await ending.saveUpload(upload, Readable.from([Buffer.from('late')]), NEVER)
      expect(kept).toMatchObject({ name: 'late.txt', kind: 'UPLOAD', sizeBytes: 4, sessionId: ending.sessionId })
      expect(await store.findArtifact(upload.id)).toEqual(kept)
      expect((await history(ending.sessionId)).at(-1)).toMatchObject({ kind: 'STATUS_CHANGE' })
    })
  })
}
