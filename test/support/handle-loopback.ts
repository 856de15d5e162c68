import { MemoryBudget } from '../../src/domain/kernel/memory-budget.ts'
import { ChannelCalls } from '../../src/domain/remote/channel-calls.ts'
import { RemoteSessionHandle, type SessionLink } from '../../src/domain/remote/remote-session-handle.ts'
import { ServedChannel } from '../../src/domain/remote/served-channel.ts'
import type { SessionHandle } from '../../src/domain/sessions/session-handle.ts'
import { createLogger } from '../../src/logger.ts'
import type { MachineChannel } from '../../src/ports/machines/machine-link.ts'

/** A handle whose session is reached only by bytes: the two sides never share an object. */
export function loopbackHandle(handle: SessionHandle): SessionHandle {
  const open = async (): Promise<ChannelCalls> => {
    const [near, far] = channelPair()
    const served = new ServedChannel(handle, far, new MemoryBudget(1e9), createLogger('silent'))
    let isOpened = false
    far.onMessage((message) => {
      // The first one says which session it is for.
      if (isOpened) served.receive(message)
      isOpened = true
    })
    return ChannelCalls.ofSession(near, handle.sessionId)
  }
  const link: SessionLink = {
    sessionId: handle.sessionId,
    owner: handle.owner,
    open,
    ask: async (method, args, signal) => {
      const calls = await open()
      return (await calls.ask(method, args, signal).finally(() => calls.close())) as never
    },
    saveUpload: () => Promise.reject(new Error('the session was not asked')),
  }
  return new RemoteSessionHandle(link)
}

/** Messages arrive as bytes of their own, in order, and never during the send. */
function channelPair(): [MachineChannel, MachineChannel] {
  const ends = [new LoopbackEnd(), new LoopbackEnd()] as const
  ends[0].peer = ends[1]
  ends[1].peer = ends[0]
  return [ends[0], ends[1]]
}

class LoopbackEnd implements MachineChannel {
  readonly unsentBytes = 0
  peer: LoopbackEnd | null = null
  readonly #closed = Promise.withResolvers<void>()
  #listener: ((message: Uint8Array) => void) | null = null
  #isClosed = false

  readonly closed = this.#closed.promise

  send(message: Uint8Array): void {
    const bytes = Buffer.from(message)
    // Immediates run in the order in which they were set.
    if (!this.#isClosed) setImmediate(() => this.peer!.#listener?.(bytes))
  }

  onMessage(listener: (message: Uint8Array) => void): void {
    this.#listener = listener
  }

  onDrain(): void {}

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#closed.resolve()
    setImmediate(() => this.peer!.close())
  }
}
