import { Readable } from 'node:stream'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { dialingHandshake } from '../../src/domain/remote/machine-handshakes.ts'
import { MachineSecret } from '../../src/domain/remote/machine-secret.ts'
import type { SessionHandle } from '../../src/domain/sessions/session-handle.ts'
import type { CdpClient } from '../../src/ports/browser/cdp-client.ts'
import type { PageFrame } from '../../src/ports/browser/live-view.ts'
import type { MachineAddress } from '../../src/ports/machines/machine-link.ts'
import { KeepingClient } from '../support/keeping-client.ts'
import { linkMachines, type LinkOptions } from '../support/linked-machines.ts'
import { startNats, type TestNats } from '../support/nats-server.ts'
import { codeOf, NEVER } from './handle-uploads.contract.ts'

/** Calls over connections between two machines, and who may open one. */

const FILE = { id: crypto.randomUUID(), name: 'a', contentType: 'text/plain', announcedBytes: null }
const GIVEN = { pageId: null, actions: [] }

let nats: TestNats
beforeAll(async () => {
  nats = await startNats()
})
afterAll(() => nats?.close())

/** A session with a live view that never ends by itself, and a client. */
function fakeSession() {
  const state = {
    result: 'x' as unknown,
    frames: 0,
    left: [] as string[],
    isStreamLeft: false,
    client: null as CdpClient | null,
    received: [] as string[],
    /** The largest piece of each message. */
    largest: [] as number[],
    uploaded: [] as Uint8Array[],
    uploadFailed: false,
    given: null as unknown,
  }
  const frames = {
    [Symbol.asyncIterator]: () => frames,
    next: async () => {
      state.frames += 1
      return { done: false as const, value: { pageId: 'p1', jpeg: 'x'.repeat(1_000_000) } as PageFrame }
    },
    return: async () => {
      state.isStreamLeft = true
      return { done: true as const, value: undefined }
    },
  }
  const handle = {
    sessionId: 's',
    owner: 'ann',
    act: async (given: unknown) => {
      state.given = given
      return state.result
    },
    watch: async () => frames,
    attachClient: async (_: string, client: CdpClient) => {
      state.client = client
      return {
        receive: (message: readonly Uint8Array[]) => {
          state.received.push(Buffer.concat(message).toString())
          state.largest.push(Math.max(...message.map(({ byteLength }) => byteLength)))
        },
        leave: async (reason: string) => void state.left.push(reason),
      }
    },
    saveUpload: async (_: unknown, content: AsyncIterable<Uint8Array>) => {
      try {
        for await (const chunk of content) state.uploaded.push(chunk)
        return { id: 'kept' }
      } catch (error) {
        state.uploadFailed = true
        throw error
      }
    },
  }
  return { state, handle: handle as unknown as SessionHandle }
}

let session: ReturnType<typeof fakeSession>
beforeEach(() => {
  session = fakeSession()
})
const sessions = { handle: async (id: string) => (id === 's' ? session.handle : null), ownHandles: () => [] }

async function link(options: LinkOptions = {}, server = nats) {
  const machines = await linkMachines(server, sessions, options)
  onTestFinished(() => machines.close())
  if (!options.secret) await expect.poll(() => codeOf(machines.handle('another').pages())).toBe('SESSION_NOT_RUNNING')
  return machines
}

describe('a connection', () => {
  /** The HTTP status of an attempt to open one; 101: it is open. */
  async function statusOf(url: string, authorization?: string): Promise<number> {
    const headers = authorization === undefined ? {} : { authorization }
    const socket = new WebSocket(`${url.replace('http', 'ws')}/machines/calls`, { headers })
    const { promise, resolve: answered } = Promise.withResolvers<number>()
    socket.on('error', () => {})
    socket.once('open', () => answered(101))
    socket.once('unexpected-response', (_, response) => answered(response.statusCode!))
    const status = await promise
    const closed = new Promise((done) => socket.once('close', done))
    socket.terminate()
    await closed
    return status
  }

  async function credentialsOf(url: string, secret: MachineSecret, to: MachineAddress): Promise<string | null> {
    const handshake = dialingHandshake(secret, to)
    const response = await fetch(`${url}/machines/challenge?${new URLSearchParams(handshake.query)}`)
    return response.status === 200 ? handshake.authorize(await response.json()) : null
  }

  test('is opened once with each challenge, by whoever has the secret, and by nobody else', async () => {
    const { url, secret, owner } = await link()
    const credentials = await credentialsOf(url, secret, owner)
    expect(await statusOf(url, `Tabwire ${credentials}`)).toBe(101)
    expect(await statusOf(url, `Tabwire ${credentials}`)).toBe(404)
    const fresh = (await credentialsOf(url, secret, owner))!
    const [nonce, challenge, code] = fresh.split(' ')
    const forged = [
      undefined,
      '',
      'Tabwire ',
      'Bearer x',
      `Tabwire ${nonce} ${challenge}`,
      `Tabwire ${nonce} ${challenge} ${'A'.repeat(43)}`,
      `Tabwire ${nonce} ${challenge}x ${code}`,
      `Tabwire x${nonce} ${challenge} ${code}`,
      // A challenge of one's own.
      `Tabwire ${nonce} 1.x.y ${secret.sign(`connect ${owner.machineId} ${owner.epoch}`, `${nonce} 1.x.y`)}`,
    ]
    for (const authorization of forged) expect(await statusOf(url, authorization)).toBe(404)
    expect(await statusOf(url, `Tabwire ${fresh}`)).toBe(101)
  })

  test('is not opened to another machine or process, nor with another secret on either side', async () => {
    const { url, secret, owner } = await link()
    expect(await credentialsOf(url, secret, { ...owner, epoch: 2 })).toBeNull()
    expect(await credentialsOf(url, secret, { ...owner, machineId: crypto.randomUUID() })).toBeNull()
    expect(await credentialsOf(url, new MachineSecret(['another']), owner)).toBeNull()
    expect((await fetch(`${url}/machines/challenge`)).status).toBe(404)
    const stranger = await link({ secret: 'another' })
    expect(await codeOf(stranger.handle('s').watch({ pageId: null }, NEVER))).toBe('MACHINE_UNREACHABLE')
  })
})

describe('what is too large for a message', () => {
  test.each([[256 * 1024], [64 * 1024]])('goes over a connection, where NATS takes %d bytes', async (most) => {
    const server = await startNats([`max_payload: ${most}`])
    onTestFinished(() => server.close())
    const { handle } = await link({ timing: { beatMs: 1e8, beats: 1, unheardBeats: 1 } }, server)
    for (const size of [10, most - 2_000, most - 1_000, most - 100, most, most + 100, 20_000_000]) {
      session.state.result = 'x'.repeat(size)
      expect(await handle('s').act(GIVEN, NEVER)).toHaveLength(size)
    }
    const large = { pageId: null, actions: ['y'.repeat(1_000_000)] }
    session.state.result = 'small'
    expect(await handle('s').act(large, NEVER)).toBe('small')
    expect(session.state.given).toEqual(large)
  })
})

describe('a live view', () => {
  test('is produced as it is read: for a reader that stops, nothing is', async () => {
    const { handle } = await link()
    const frames = await handle('s').watch({ pageId: null }, NEVER)
    for (let read = 1; read <= 5; read += 1) {
      expect((await frames.next()).value).toMatchObject({ pageId: 'p1' })
      expect(session.state.frames).toBe(read)
    }
    await frames.return!()
    await expect.poll(() => session.state.isStreamLeft).toBe(true)
    expect(session.state.frames).toBe(5)
  })

  test('fails when its machine goes, and ends there when its reader does', async () => {
    const machines = await link()
    const first = await machines.handle('s').watch({ pageId: null }, NEVER)
    await first.next()
    const other = await link()
    const second = await other.handle('s').watch({ pageId: null }, NEVER)
    await second.next()
    await machines.loseOwner()
    expect(await codeOf(first.next())).toBe('MACHINE_UNREACHABLE')
    await expect.poll(() => session.state.isStreamLeft).toBe(true)
  })
})

describe('a client', () => {
  test('has whole messages of any size, is read no faster than it is heard, and leaves with its connection', async () => {
    const { handle, loseOwner } = await link()
    const client = new KeepingClient()
    const paused: boolean[] = []
    client.pause = () => void paused.push(true)
    client.resume = () => void paused.push(false)
    const attached = await handle('s').attachClient('a client', client)
    const text = JSON.stringify({ id: 1, result: { text: 'é'.repeat(6_000_000) } })
    session.state.client!.send([Buffer.from(text.slice(0, 100)), Buffer.from(text.slice(100))])
    expect(await client.answerTo(1)).toEqual(JSON.parse(text))
    await expect.poll(() => session.state.client!.unsentBytes).toBe(0)

    // More than the buffers of the system take.
    const message = 'm'.repeat(30_000_000)
    void attached.receive([Buffer.from(message)])
    expect(paused).toEqual([true])
    await expect.poll(() => paused).toEqual([true, false])
    await expect.poll(() => session.state.received).toEqual([message])
    expect(session.state.largest[0]).toBeLessThanOrEqual(256 * 1024)
    session.state.client!.pause()
    await expect.poll(() => paused).toEqual([true, false, true])
    session.state.client!.resume()
    await expect.poll(() => paused).toEqual([true, false, true, false])
    expect(await session.state.client!.localUser()).toBeNull()

    await loseOwner()
    expect(await client.closed.promise).toEqual([1013, expect.any(String)])
    await expect.poll(() => session.state.left).toEqual(['CONNECTION_LOST'])
    await attached.leave('CLIENT_LEFT')
  })

  test('counts as unsent what it has not taken, on its own machine too', async () => {
    const { handle } = await link()
    const client = new KeepingClient()
    client.unsentBytes = 5_000
    const attached = await handle('s').attachClient('a client', client)
    session.state.client!.send([Buffer.from('{"id":1}')])
    expect(session.state.client!.unsentBytes).toBe(8)
    await expect.poll(() => session.state.client!.unsentBytes).toBe(5_000)
    client.unsentBytes = 0
    await expect.poll(() => session.state.client!.unsentBytes).toBe(0)
    await attached.leave('CLIENT_LEFT')
    expect(session.state.left[0]).toBe('CLIENT_LEFT')
  })
})

describe('an upload', () => {
  test('of a session that has ended is saved without it, unread until then', async () => {
    const saved: string[] = []
    const saveUpload: LinkOptions['saveUpload'] = async (record, file, content) => {
      for await (const chunk of content) saved.push(`${record.id} ${file.name} ${Buffer.from(chunk).toString()}`)
      return { id: file.id } as never
    }
    const { handle } = await link({ saveUpload })
    expect(await handle('ended').saveUpload(FILE, Readable.from([Buffer.from('text')]), NEVER)).toEqual({ id: FILE.id })
    expect(saved).toEqual(['ended a text'])
  })

  test('is closed where no connection can be opened, and fails with one that breaks', async () => {
    const machines = await link()
    const source = new Readable({ read() {} })
    source.push('begun')
    const uploading = codeOf(machines.handle('s').saveUpload(FILE, source, NEVER))
    await expect.poll(() => session.state.uploaded.length).toBe(1)
    await machines.loseOwner()
    expect(await uploading).toBe('MACHINE_UNREACHABLE')
    await expect.poll(() => [source.destroyed, session.state.uploadFailed]).toEqual([true, true])
    const late = new Readable({ read() {} })
    expect(await codeOf(machines.handle('s').saveUpload(FILE, late, NEVER))).toBe('MACHINE_UNREACHABLE')
    expect(late.destroyed).toBe(true)
  })
})
