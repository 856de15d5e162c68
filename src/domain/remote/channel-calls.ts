import { Readable } from 'node:stream'
import type { ArtifactRecord } from '../../ports/artifacts/artifact.ts'
import type { CdpClient } from '../../ports/browser/cdp-client.ts'
import type { PageFrame, PageFrames } from '../../ports/browser/live-view.ts'
import type { MachineChannel, MessageId } from '../../ports/machines/machine-link.ts'
import { saysEnded } from '../kernel/session-state.ts'
import type { AttachedClient, GivenUpload, GivenWatch } from '../sessions/session-handle.ts'
import { CALLS_VERSION, type OpenMessage, type Request, type Response } from './call-messages.ts'
import { decode, decodeError, encode } from './codec.ts'
import { MachineUnreachable } from './machine-unreachable.ts'

interface Pending {
  signal: AbortSignal | undefined
  resolve(result: unknown): void
  reject(error: unknown): void
}

/**
 * What a client has taken is reported once it is this much, or after a while: a report of each message would be a message
 * more for every answer of the browser. It is small beside what a client may leave unread.
 */
const REPORT_BYTES = 256 * 1024
const REPORT_MS = 50

/** A client is not read while this much of what it sent is on its way. */
const MAX_ON_THE_WAY = 1024 * 1024

/** WebSocket close code: try again later. */
const TRY_AGAIN = 1013

/** The caller's side of a connection to a machine: calls to one of its sessions, in messages. */
export class ChannelCalls {
  readonly #channel: MachineChannel
  readonly #pending = new Map<number, Pending>()
  readonly #uploads = new Map<number, AsyncIterator<Uint8Array>>()
  readonly #clients = new Map<number, FarClientOf>()
  #ids = 0
  #hasEnded = false

  private constructor(channel: MachineChannel, open: OpenMessage) {
    this.#channel = channel
    channel.onMessage((message) => this.#receive(decode(message) as Response))
    channel.onDrain(() => this.#clients.forEach((client) => client.regulate()))
    void channel.closed.then(() => this.#end())
    channel.send(encode(open))
  }

  /** Calls to a session. */
  static ofSession(channel: MachineChannel, sessionId: string): ChannelCalls {
    return new ChannelCalls(channel, { version: CALLS_VERSION, say: 'SESSION', sessionId })
  }

  /** The result of a call that was too large for a message. */
  static async fetch(channel: MachineChannel, call: MessageId, signal: AbortSignal | undefined): Promise<unknown> {
    const calls = new ChannelCalls(channel, { version: CALLS_VERSION, say: 'FETCH', call })
    const { result } = calls.#expect<unknown>(signal)
    return await result.finally(() => calls.close())
  }

  close(): void {
    this.#channel.close()
  }

  ask<T>(method: string, args: readonly unknown[] = [], signal?: AbortSignal): Promise<T> {
    return this.#call<T>(method, args, signal).result
  }

  async watch(given: GivenWatch, signal: AbortSignal): Promise<PageFrames> {
    const { id: stream, result } = this.#expect<null>(signal)
    this.#send({ say: 'CALL', id: stream, method: 'watch', args: [given], isAborted: signal.aborted })
    // The signal ends the frames, too.
    const stopListening = this.#abortWith(stream, signal)
    await result.catch((error: unknown) => {
      stopListening()
      throw error
    })
    const left = Promise.withResolvers<typeof ENDED>()
    const end = async () => {
      stopListening()
      this.#send({ say: 'RETURN', stream })
      left.resolve(ENDED)
      this.close()
      return ENDED
    }
    const next = async () => {
      const { id, result: item } = this.#expect<IteratorResult<PageFrame, undefined>>()
      this.#send({ say: 'NEXT', id, stream })
      const frame = await Promise.race([left.promise, item])
      if (frame.done === true) await end()
      return frame
    }
    const frames: PageFrames = { [Symbol.asyncIterator]: () => frames, next, return: end }
    return frames
  }

  async attachClient(name: string, client: CdpClient): Promise<AttachedClient> {
    const { id: own, result } = this.#call<null>('attachClient', [name], undefined, (id) =>
      this.#clients.set(id, new FarClientOf(id, client, this.#channel)),
    )
    await result
    return {
      receive: (message) => {
        this.#send({ say: 'RECEIVE', id: own, message: message.length === 1 ? message[0]! : Buffer.concat(message) })
        this.#clients.get(own)?.regulate()
      },
      leave: async (reason) => {
        const { id, result: hasLeft } = this.#expect<null>()
        this.#send({ say: 'LEAVE', id, client: own, reason })
        // Without the connection it has left, too.
        await hasLeft.catch(() => {})
        this.#clients.delete(own)
        this.close()
      },
    }
  }

  /** See SessionHandle.saveUpload. If the session has ended, the content is left as it is. It must have a listener for errors. */
  async saveUpload(
    file: GivenUpload,
    content: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<ArtifactRecord> {
    let source: AsyncIterator<Uint8Array> | null = null
    let failure: { error: unknown } | null = null
    const chunks = {
      next: () => {
        source ??= content[Symbol.asyncIterator]()
        return source.next().catch((error: unknown) => {
          failure = { error }
          throw error
        })
      },
    }
    const { id, result } = this.#call<ArtifactRecord>('saveUpload', [file], signal, (own) =>
      this.#uploads.set(own, chunks),
    )
    let isUntouched = false
    try {
      return await result
    } catch (error) {
      isUntouched = source === null && saysEnded(error)
      throw (failure as { error: unknown } | null)?.error ?? error
    } finally {
      this.#uploads.delete(id)
      if (!isUntouched) await closeContent(content, source)
    }
  }

  #call<T>(method: string, args: readonly unknown[], signal?: AbortSignal, before?: (id: number) => void) {
    const expected = this.#expect<T>(signal)
    const { id } = expected
    before?.(id)
    this.#send({ say: 'CALL', id, method, args: [...args], isAborted: signal?.aborted ?? false })
    const stopListening = this.#abortWith(id, signal)
    const result = expected.result.finally(stopListening)
    return { id, result }
  }

  #abortWith(id: number, signal: AbortSignal | undefined): () => void {
    const abort = () => this.#send({ say: 'ABORT', id })
    signal?.addEventListener('abort', abort, { once: true })
    return () => signal?.removeEventListener('abort', abort)
  }

  #expect<T>(signal?: AbortSignal): { id: number; result: Promise<T> } {
    this.#ids += 1
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const pending = { signal, resolve: (result: unknown) => resolve(result as T), reject }
    if (this.#hasEnded) reject(new MachineUnreachable(LOST))
    else this.#pending.set(this.#ids, pending)
    // It may be rejected while nobody waits for it any more.
    promise.catch(() => {})
    return { id: this.#ids, result: promise }
  }

  #send(request: Request): void {
    this.#channel.send(encode(request))
  }

  #receive(response: Response): void {
    const { say, id } = response
    const client = this.#clients.get(id)
    if (say === 'RESULT') this.#settle(id)?.resolve(response.result)
    else if (say === 'ERROR') {
      const pending = this.#settle(id)
      pending?.reject(decodeError(response.error, pending.signal))
    } else if (say === 'UNKNOWN') this.#settle(id)?.reject(new MachineUnreachable(OTHER_VERSION))
    else if (say === 'WANT') void this.#giveChunk(id)
    else if (say === 'ENOUGH') this.#uploads.delete(id)
    else if (say === 'SEND') client?.send(response.bytes, response.isLast)
    else if (say === 'PAUSE') client?.pause()
    else if (say === 'RESUME') client?.resume()
    else client?.close(response.code, response.reason)
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    return pending
  }

  async #giveChunk(id: number): Promise<void> {
    try {
      const chunk = await this.#uploads.get(id)?.next()
      const bytes = chunk?.done === false ? chunk.value : null
      this.#send({ say: 'CHUNK', id, bytes, hasFailed: false })
    } catch {
      this.#send({ say: 'CHUNK', id, bytes: null, hasFailed: true })
    }
  }

  #end(): void {
    this.#hasEnded = true
    for (const { reject } of this.#pending.values()) reject(new MachineUnreachable(LOST))
    this.#pending.clear()
    for (const client of this.#clients.values()) client.close(TRY_AGAIN, 'the server of the session cannot be reached')
  }
}

/** Ends the source of an upload, however far it was read. */
export async function closeContent(
  content: AsyncIterable<Uint8Array>,
  reading: AsyncIterator<Uint8Array> | null = null,
): Promise<void> {
  if (content instanceof Readable) content.destroy()
  else await (reading ?? content[Symbol.asyncIterator]()).return?.()
}

export const OTHER_VERSION = 'it runs another version'
const LOST = 'the connection was lost'
const ENDED = { done: true, value: undefined } as const

/** A client on this machine, of a session on another one: how much it has taken is reported there. */
class FarClientOf {
  readonly #id: number
  readonly #client: CdpClient
  readonly #channel: MachineChannel
  #pieces: Uint8Array[] = []
  #isPausedThere = false
  #isPaused = false
  #takenBytes = 0
  #reporting: NodeJS.Timeout | undefined

  constructor(id: number, client: CdpClient, channel: MachineChannel) {
    this.#id = id
    this.#client = client
    this.#channel = channel
  }

  send(bytes: Uint8Array, isLast: boolean): void {
    this.#pieces.push(bytes)
    if (isLast) {
      this.#client.send(this.#pieces)
      this.#pieces = []
    }
    this.#takenBytes += bytes.byteLength
    if (this.#takenBytes >= REPORT_BYTES) this.#report()
    else this.#reportLater()
  }

  pause(): void {
    this.#isPausedThere = true
    this.regulate()
  }

  resume(): void {
    this.#isPausedThere = false
    this.regulate()
  }

  /** It is read while the session wants it to be, and what it sends arrives there. */
  regulate(): void {
    const isPaused = this.#isPausedThere || this.#channel.unsentBytes > MAX_ON_THE_WAY
    if (isPaused === this.#isPaused) return
    this.#isPaused = isPaused
    if (isPaused) this.#client.pause()
    else this.#client.resume()
  }

  close(code: number, reason: string): void {
    clearTimeout(this.#reporting)
    this.#client.close(code, reason)
  }

  #reportLater(): void {
    this.#reporting ??= setTimeout(() => this.#report(), REPORT_MS).unref()
  }

  #report(): void {
    clearTimeout(this.#reporting)
    this.#reporting = undefined
    const { unsentBytes } = this.#client
    const bytes = this.#takenBytes
    this.#takenBytes = 0
    this.#channel.send(encode({ say: 'TAKEN', id: this.#id, bytes, unsentBytes } satisfies Request))
    // Nothing else would say when the rest is sent.
    if (unsentBytes > 0) this.#reportLater()
  }
}
