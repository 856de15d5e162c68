import { pino } from 'pino'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { CALLS_VERSION, type OpenMessage, type Request, type Response } from '../../src/domain/remote/call-messages.ts'
import { decode, encode } from '../../src/domain/remote/codec.ts'
import { MachineSecret } from '../../src/domain/remote/machine-secret.ts'
import { ServedCalls } from '../../src/domain/remote/served-calls.ts'
import type { SessionHandle } from '../../src/domain/sessions/session-handle.ts'
import type { MachineChannel, Messenger } from '../../src/ports/machines/machine-link.ts'

const open: OpenMessage = { version: CALLS_VERSION, say: 'SESSION', sessionId: 's' }
const call = (id: number, ...args: unknown[]): Request => ({ say: 'CALL', id, method: 'pages', args, isAborted: false })

function fakeChannel() {
  const sent: Response[] = []
  let receive: (message: Uint8Array) => void = () => {}
  const channel = {
    closed: new Promise<void>(() => {}),
    unsentBytes: 0,
    send: (message) => void sent.push(decode(message) as Response),
    onMessage: (listener) => (receive = listener),
    onDrain: () => {},
    close: vi.fn<() => void>(),
  } satisfies MachineChannel
  return { channel, sent, say: (message: OpenMessage | Request) => receive(encode(message)) }
}

/** Calls to a session that is found when the test says so. */
function serve() {
  const { promise, resolve: find } = Promise.withResolvers<SessionHandle | null>()
  const handle = { sessionId: 's', owner: 'ann', pages: async () => [] } as unknown as SessionHandle
  const sessions = { handle: () => promise, ownHandles: () => [] }
  const served = new ServedCalls(sessions, {} as Messenger, new MachineSecret(['secret']), pino({ enabled: false }))
  const accept = () => {
    const far = fakeChannel()
    served.accept(far.channel)
    far.say(open)
    return far
  }
  return { accept, find: () => find(handle) }
}

afterEach(() => void vi.useRealTimers())

describe('what comes while a session is looked up', () => {
  test('is served once it is found', async () => {
    const { accept, find } = serve()
    const { say, sent } = accept()
    for (let id = 1; id <= 100; id += 1) say(call(id))
    find()
    await expect.poll(() => sent).toHaveLength(100)
    expect(sent.every((response) => response.say === 'RESULT')).toBe(true)
  })

  const refused = (code: string) => [{ say: 'ERROR', id: 1, error: expect.objectContaining({ code }) as object }]

  test('is bounded in number', async () => {
    const { accept, find } = serve()
    const { channel, say, sent } = accept()
    for (let id = 1; id <= 1_000; id += 1) say(call(id))
    expect(sent).toMatchObject(refused('CAPACITY_EXCEEDED'))
    expect(channel.close).toHaveBeenCalled()
    find()
    await new Promise(setImmediate)
    say(call(1_001))
    expect(sent).toHaveLength(1)
  })

  test('is bounded in bytes, over all connections', async () => {
    const { accept, find } = serve()
    const filler = new Uint8Array(7 * 1024 * 1024)
    const others = Array.from({ length: 9 }, () => accept())
    for (const { say } of others) say(call(1, filler))
    expect(others.flatMap(({ sent }) => sent)).toEqual([])
    const last = accept()
    last.say(call(1, filler))
    expect(last.sent).toMatchObject(refused('CAPACITY_EXCEEDED'))
    find()
    await expect.poll(() => others.every(({ sent }) => sent[0]?.say === 'RESULT')).toBe(true)
    // None of it counts any more.
    const { say, sent } = accept()
    for (let id = 1; id <= 9; id += 1) say(call(id, filler))
    await expect.poll(() => sent).toHaveLength(9)
  })

  test('waits for a few seconds at most', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const { accept } = serve()
    const { sent } = accept()
    await vi.advanceTimersByTimeAsync(14_000)
    expect(sent).toEqual([])
    await vi.advanceTimersByTimeAsync(2_000)
    await vi.waitFor(() => expect(sent).toMatchObject(refused('MACHINE_UNREACHABLE')))
  })
})
