import { connect, type NatsConnection } from '@nats-io/transport-node'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { callContext, replyContext } from '../../src/domain/remote/call-messages.ts'
import { decode, encode } from '../../src/domain/remote/codec.ts'
import { MachineSecret } from '../../src/domain/remote/machine-secret.ts'
import type { SessionHandle } from '../../src/domain/sessions/session-handle.ts'
import type { PageState } from '../../src/ports/browser/browser.ts'
import { startCuttableProxy } from '../support/cuttable-proxy.ts'
import { linkMachines, type LinkOptions } from '../support/linked-machines.ts'
import { startNats, type TestNats } from '../support/nats-server.ts'
import { codeOf, NEVER } from './handle-uploads.contract.ts'

/** Calls in messages over a real server of NATS, and what others may do there. */

const PAGES = [{ pageId: 'p1', url: 'about:blank', title: '' }]
const GIVEN = { pageId: null, actions: [] }
/** Nothing is noticed by waiting. */
const NO_BEATS = { beatMs: 1e8, beats: 1, unheardBeats: 1 }

let nats: TestNats
let network: NatsConnection
beforeAll(async () => {
  nats = await startNats()
  network = await connect({ servers: nats.address })
})
afterAll(async () => {
  await network?.close()
  await nats?.close()
})

/** A session that counts what is asked of it. */
function fakeSession() {
  const asked = Promise.withResolvers<AbortSignal>()
  const answer = Promise.withResolvers<never[]>()
  const counted = { pages: 0, acts: 0 }
  const pages = async (): Promise<PageState[]> => {
    counted.pages += 1
    return PAGES
  }
  const act = async (_: unknown, signal: AbortSignal) => {
    counted.acts += 1
    asked.resolve(signal)
    return answer.promise
  }
  return { handle: { sessionId: 's', owner: 'ann', pages, act } as unknown as SessionHandle, counted, asked, answer }
}

let session: ReturnType<typeof fakeSession>
beforeEach(() => {
  session = fakeSession()
})
const sessions = {
  handle: async (id: string) => (id === 's' ? session.handle : null),
  ownHandles: (ids: readonly string[]) => (ids.includes('s') ? [session.handle] : []),
}

async function link(options: LinkOptions = {}, server = nats) {
  const machines = await linkMachines(server, sessions, options)
  onTestFinished(() => machines.close())
  // NATS knows of the machine once a call reaches it.
  if (!options.secret) await expect.poll(() => codeOf(machines.handle('another').pages())).toBe('SESSION_NOT_RUNNING')
  return machines
}

/** The messages to the subjects, from now on. */
async function eavesdrop(subject: string) {
  const received: { subject: string; reply: string | undefined; data: Uint8Array }[] = []
  const callback = (_: unknown, message: { subject: string; reply?: string; data: Uint8Array }) => {
    received.push({ subject: message.subject, reply: message.reply, data: message.data })
  }
  const subscription = network.subscribe(subject, { callback })
  onTestFinished(() => subscription.unsubscribe())
  await network.flush()
  return received
}

describe('whoever may publish to NATS', () => {
  test('drives no session: what is not sealed with the secret for this process of this machine is ignored', async () => {
    const { owner, secret, handle } = await link()
    const call = { version: 1, say: 'CALL', sender: 'x', sessionId: 's', method: 'pages', args: [], isAborted: false }
    const subject = `tabwire.1.call.${owner.machineId}.${owner.epoch}`
    const stranger = new MachineSecret(['another-secret-of-32-characters-or-more'])
    const sealed = [
      encode({ ...call, number: 1 }),
      stranger.seal(callContext(owner), encode({ ...call, number: 2 })),
      secret.seal(callContext({ ...owner, epoch: 2 }), encode({ ...call, number: 3 })),
      secret.seal(replyContext(owner, { sender: 'x', number: 4 }), encode({ ...call, number: 4 })),
      Buffer.from('not a message'),
      Buffer.alloc(0),
    ]
    for (const data of sealed) network.publish(subject, data)
    await network.flush()
    expect(await handle('s').pages()).toEqual(PAGES)
    expect(session.counted.pages).toBe(1)
    network.publish(subject, secret.seal(callContext(owner), encode({ ...call, number: 5 })))
    await expect.poll(() => session.counted.pages).toBe(2)
  })

  test('repeats a call without effect, and has no say in its result', async () => {
    const { owner, handle } = await link({ timing: NO_BEATS })
    const calls = await eavesdrop(`tabwire.1.call.${owner.machineId}.*`)
    const acting = handle('s').act(GIVEN, NEVER)
    await session.asked.promise
    await expect.poll(() => calls.length).toBe(1)
    const [call] = calls
    for (let times = 0; times < 3; times += 1) network.publish(call!.subject, call!.data, { reply: 'elsewhere' })
    for (const data of [Buffer.alloc(0), Buffer.alloc(100), call!.data]) network.publish(call!.reply!, data)
    await network.flush()
    // Messages of one sender arrive in their order: this one after those.
    expect(await handle('s').pages()).toEqual(PAGES)
    session.answer.resolve([])
    expect(await acting).toEqual([])
    network.publish(call!.subject, call!.data)
    await network.flush()
    expect(await handle('s').pages()).toEqual(PAGES)
    expect(session.counted).toEqual({ acts: 1, pages: 2 })
  })

  test('passes no reply off as that to another call', async () => {
    const { owner, handle } = await link({ timing: NO_BEATS })
    const replies = await eavesdrop('tabwire.1.reply.>')
    const calls = await eavesdrop(`tabwire.1.call.${owner.machineId}.*`)
    await handle('s').pages()
    await expect.poll(() => replies.length).toBe(1)
    const acting = handle('s').act(GIVEN, NEVER)
    await session.asked.promise
    await expect.poll(() => calls.length).toBe(2)
    network.publish(calls[1]!.reply!, replies[0]!.data)
    await network.flush()
    session.answer.resolve([])
    expect(await acting).toEqual([])
  })
})

describe('a call', () => {
  test('fails at once where nobody is', async () => {
    const { owner, remote } = await link({ timing: NO_BEATS })
    const { machineId } = owner
    const gone = remote.handle({ id: 's', owner: 'ann', machineId, machineEpoch: owner.epoch + 1 } as never)
    expect(await codeOf(gone.pages())).toBe('MACHINE_UNREACHABLE')
    expect(await codeOf(gone.act(GIVEN, NEVER))).toBe('MACHINE_UNREACHABLE')
  })

  test('fails as its session has ended, where the database says so', async () => {
    const store = { findSession: async () => ({ status: 'FAILED' }) as never }
    const { loseOwner, handle } = await link({ timing: NO_BEATS, store })
    await loseOwner()
    expect(await codeOf(handle('s').pages())).toBe('SESSION_NOT_RUNNING')
  })

  test('of a session that is not there says so', async () => {
    const { handle } = await link()
    expect(await codeOf(handle('another').pages())).toBe('SESSION_NOT_RUNNING')
  })

  test('fails when its machine goes while it works on it', async () => {
    const { loseOwner, handle } = await link({ timing: { beatMs: 20, beats: 1e9, unheardBeats: 3 } })
    const acting = codeOf(handle('s').act(GIVEN, NEVER))
    await session.asked.promise
    await loseOwner()
    expect(await acting).toBe('MACHINE_UNREACHABLE')
  })

  test('fails when its machine hangs', async () => {
    const { served, owner, messengers, handle } = await link({ timing: { beatMs: 20, beats: 3, unheardBeats: 1e9 } })
    served.serve(null)
    // Somebody hears it, and says nothing.
    onTestFinished(messengers.owner.receive(owner, () => {}))
    expect(await codeOf(handle('s').act(GIVEN, NEVER))).toBe('MACHINE_UNREACHABLE')
  })

  test('of another version, or of a member that is not known, is refused', async () => {
    const { owner, secret, handle, calls } = await link()
    const call = { say: 'CALL', sessionId: 's', method: 'owner', args: [] as unknown[], isAborted: false } as const
    expect(await codeOf(calls.ask(owner, call, 1e6))).toBe('MACHINE_UNREACHABLE')
    const replies = await eavesdrop('tabwire.1.reply.later.*')
    const later = { ...call, method: 'pages', version: 2, sender: 'later', number: 1 }
    const subject = `tabwire.1.call.${owner.machineId}.${owner.epoch}`
    network.publish(subject, secret.seal(callContext(owner), encode(later)))
    await expect.poll(() => replies.length).toBe(1)
    const sealed = secret.open(replyContext(owner, { sender: 'later', number: 1 }), replies[0]!.data)
    expect(decode(sealed!)).toEqual({ say: 'UNKNOWN' })
    expect(await handle('s').pages()).toEqual(PAGES)
    expect(session.counted.pages).toBe(1)
  })

  test('whose result is larger than what is kept fails at once, and nothing of it is kept', async () => {
    const { handle } = await link({ timing: NO_BEATS })
    session.answer.resolve([new Uint8Array(64 * 1024 * 1024)] as never[])
    await expect(handle('s').act(GIVEN, NEVER)).rejects.toThrow()
    expect(await handle('s').pages()).toEqual(PAGES)
  })

  test('needs no right in NATS but to tabwire.>, nor does one that nobody hears', async () => {
    const rights = 'permissions { publish: "tabwire.>", subscribe: "tabwire.>" }'
    const server = await startNats([`authorization { users: [{ user: me, password: s3cret, ${rights} }] }`])
    onTestFinished(() => server.close())
    const login = { user: 'me', password: 's3cret' }
    const { owner, remote, handle } = await link({ timing: NO_BEATS, login }, server)
    session.answer.resolve([])
    expect(await handle('s').act(GIVEN, NEVER)).toEqual([])
    const { machineId } = owner
    const gone = remote.handle({ id: 's', owner: 'ann', machineId, machineEpoch: owner.epoch + 1 } as never)
    expect(await codeOf(gone.pages())).toBe('MACHINE_UNREACHABLE')
  })

  test('is canceled by its signal, and when its caller is not heard of any more', async () => {
    const machines = await link({ unheardMs: 20, timing: { beatMs: 1, beats: 1e9, unheardBeats: 1e9 } })
    const leaving = new AbortController()
    const acting = machines.handle('s').act(GIVEN, leaving.signal)
    const signal = await session.asked.promise
    leaving.abort()
    await expect.poll(() => signal.aborted).toBe(true)
    session.answer.resolve([])
    expect(await acting).toEqual([])

    session = fakeSession()
    const left = codeOf(machines.handle('s').act(GIVEN, NEVER))
    const unreported = await session.asked.promise
    machines.calls.close()
    expect(await left).toBe('MACHINE_UNREACHABLE')
    await expect.poll(() => unreported.aborted).toBe(true)
  })
})

describe('a connection to NATS that breaks', () => {
  test.each(['of both', 'of the machine alone'])('%s, costs no call that is under way', async (whose) => {
    const server = await startNats()
    onTestFinished(() => server.close())
    const proxy = await startCuttableProxy(`http://${server.address}`)
    onTestFinished(() => proxy.close())
    const ownerNats = { address: new URL(proxy.url).host }
    const timing = { beatMs: 50, beats: 1e9, unheardBeats: 1e9 }
    const { messengers, handle } = await link({ ownerNats, timing }, server)
    const acting = handle('s').act(GIVEN, NEVER)
    await session.asked.promise
    if (whose === 'of both') await server.stop()
    else proxy.cut()
    const nobody = { sender: 'nobody', number: 1 }
    await expect.poll(() => messengers.owner.reply(nobody, Buffer.alloc(0))).toBe(false)
    // Its reply is lost.
    session.answer.resolve([])
    if (whose === 'of both') await server.start()
    else proxy.mend()
    expect(await acting).toEqual([])
    expect(session.counted.acts).toBe(1)
  })

  test('is not given more than it takes by a server that hangs', async () => {
    const server = await startNats()
    onTestFinished(() => server.close())
    const { owner, messengers } = await link({ timing: NO_BEATS }, server)
    const id = { sender: 'somebody', number: 1 }
    await server.freeze()
    onTestFinished(() => server.thaw())
    const sent = Array.from({ length: 1_000 }, () => messengers.caller.send(owner, id, Buffer.alloc(256 * 1024)))
    expect(sent.filter(Boolean).length).toBeLessThan(100)
    server.thaw()
    await expect.poll(() => messengers.caller.send(owner, id, Buffer.alloc(1))).toBe(true)
  })

  test('before a call fails it at once', async () => {
    const server = await startNats()
    onTestFinished(() => server.close())
    const { messengers, handle } = await link({ timing: NO_BEATS }, server)
    await server.stop()
    const nobody = { sender: 'nobody', number: 1 }
    await expect.poll(() => messengers.caller.reply(nobody, Buffer.alloc(0))).toBe(false)
    expect(await codeOf(handle('s').pages())).toBe('MACHINE_UNREACHABLE')
    expect(session.counted.pages).toBe(0)
  })
})
