import type { Logger } from 'pino'
import type { CdpClient } from '../../ports/browser/cdp-client.ts'
import type { PageFrames } from '../../ports/browser/live-view.ts'
import type { MachineChannel } from '../../ports/machines/machine-link.ts'
import { ownedBy } from '../../fault-owner.ts'
import type { AttachedClient, SessionHandle } from '../sessions/session-handle.ts'
import type { Request, Response } from './call-messages.ts'
import { decode, encode, encodeError } from './codec.ts'
import { isMethod, runMethod } from './handle-methods.ts'

/** Longer messages to a client are sent in pieces. */
const PIECE_BYTES = 4 * 1024 * 1024

/** The session's side of a connection: calls the handle for received messages, and sends the results. */
export class ServedChannel {
  readonly #handle: SessionHandle
  readonly #channel: MachineChannel
  readonly #logger: Logger
  readonly #calls = new Map<number, AbortController>()
  readonly #streams = new Map<number, PageFrames>()
  readonly #uploads = new Map<number, (chunk: Chunk) => void>()
  readonly #clients = new Map<number, { far: FarClient; attached: AttachedClient | null }>()
  #hasEnded = false

  constructor(handle: SessionHandle, channel: MachineChannel, logger: Logger) {
    this.#handle = handle
    this.#channel = channel
    this.#logger = logger
    void channel.closed.then(() => this.#end())
  }

  /** A message of the caller. */
  receive(message: Uint8Array): void {
    const request = decode(message) as Request
    const { say } = request
    if (say === 'CALL') this.#begin(request)
    else if (say === 'ABORT') this.#calls.get(request.id)?.abort()
    else if (say === 'NEXT') this.#answer(request.id, async () => this.#streams.get(request.stream)?.next() ?? ENDED)
    else if (say === 'RETURN') this.#leaveStream(request.stream)
    else if (say === 'CHUNK') this.#uploads.get(request.id)?.(request)
    else if (say === 'RECEIVE') void this.#clients.get(request.id)?.attached?.receive([request.message])
    else if (say === 'TAKEN') this.#clients.get(request.id)?.far.taken(request.bytes, request.unsentBytes)
    else this.#answer(request.id, async () => this.#clients.get(request.client)?.attached?.leave(request.reason))
  }

  #begin(call: Call): void {
    if (!isMethod(call.method) && !STREAMING.has(call.method)) return this.#send({ say: 'UNKNOWN', id: call.id })
    this.#answer(call.id, (signal) => this.#call(call, signal), call.isAborted)
  }

  #answer(id: number, work: (signal: AbortSignal) => Promise<unknown>, isAborted = false): void {
    const controller = new AbortController()
    const { signal } = controller
    if (isAborted) controller.abort()
    this.#calls.set(id, controller)
    const fail = (error: unknown) => {
      const encoded = encodeError(error, signal)
      if (encoded.kind === 'FAULT') this.#logger.warn({ err: error }, 'a call of another machine failed')
      this.#send({ say: 'ERROR', id, error: encoded })
    }
    // What it starts and nobody could catch fails this call only.
    void ownedBy({ fail }, () => work(signal))
      .then((result) => this.#send({ say: 'RESULT', id, result: result ?? null }))
      .catch(fail)
      .finally(() => {
        // The signal that started the frames ends them.
        if (!this.#streams.has(id)) this.#calls.delete(id)
      })
  }

  async #call({ id, method, args }: Call, signal: AbortSignal): Promise<unknown> {
    const handle = this.#handle
    if (method === 'watch') {
      this.#streams.set(id, await handle.watch(args[0] as Parameters<SessionHandle['watch']>[0], signal))
      return null
    }
    if (method === 'saveUpload') {
      return handle.saveUpload(args[0] as Parameters<SessionHandle['saveUpload']>[0], this.#contentOf(id), signal)
    }
    if (method === 'attachClient') {
      const client = {
        far: new FarClient(id, (message) => this.#send(message)),
        attached: null as AttachedClient | null,
      }
      this.#clients.set(id, client)
      client.attached = await handle.attachClient(args[0] as string, client.far)
      if (this.#hasEnded) await client.attached.leave('CONNECTION_LOST')
      return null
    }
    return runMethod(handle, method, args, signal)
  }

  /** Chunks of an upload, each requested on demand. */
  #contentOf(id: number): AsyncIterable<Uint8Array> {
    const end = () => {
      // Also the chunk that is being waited for.
      this.#uploads.get(id)?.({ bytes: null, hasFailed: false })
      this.#uploads.delete(id)
      this.#send({ say: 'ENOUGH', id })
      return ENDED
    }
    const next = async (): Promise<IteratorResult<Uint8Array, undefined>> => {
      if (this.#hasEnded) throw new Error('the connection was lost')
      const { promise, resolve } = Promise.withResolvers<Chunk>()
      this.#uploads.set(id, resolve)
      this.#send({ say: 'WANT', id })
      const { bytes, hasFailed } = await promise
      if (hasFailed) throw new Error('the source failed')
      return bytes === null ? ENDED : { done: false, value: bytes }
    }
    return { [Symbol.asyncIterator]: () => ({ next, return: async () => end() }) }
  }

  #leaveStream(stream: number): void {
    void this.#streams.get(stream)?.return?.()
    this.#streams.delete(stream)
    this.#calls.delete(stream)
  }

  #send(response: Response): void {
    this.#channel.send(encode(response))
  }

  /** The caller has gone: nothing is done for it any more. */
  #end(): void {
    this.#hasEnded = true
    for (const stream of this.#streams.keys()) this.#leaveStream(stream)
    for (const controller of this.#calls.values()) controller.abort()
    for (const give of this.#uploads.values()) give({ bytes: null, hasFailed: true })
    for (const { attached } of this.#clients.values()) void attached?.leave('CONNECTION_LOST')
  }
}

type Call = Extract<Request, { say: 'CALL' }>
type Chunk = Pick<Extract<Request, { say: 'CHUNK' }>, 'bytes' | 'hasFailed'>

const STREAMING: ReadonlySet<string> = new Set(['watch', 'saveUpload', 'attachClient'])
const ENDED = { done: true, value: undefined } as const

/** A client on another machine: data that has not been acknowledged from there is unsent. */
class FarClient implements CdpClient {
  readonly #id: number
  readonly #send: (message: Response) => void
  #underWay = 0
  #unsentThere = 0
  #isPaused = false

  constructor(id: number, send: (message: Response) => void) {
    this.#id = id
    this.#send = send
  }

  get unsentBytes(): number {
    return this.#underWay + this.#unsentThere
  }

  send(pieces: readonly Uint8Array[]): void {
    const parts = pieces.flatMap((piece) => cut(piece))
    for (const [index, bytes] of parts.entries()) {
      this.#underWay += bytes.byteLength
      this.#send({ say: 'SEND', id: this.#id, bytes, isLast: index === parts.length - 1 })
    }
  }

  taken(bytes: number, unsentBytes: number): void {
    this.#underWay -= bytes
    this.#unsentThere = unsentBytes
  }

  /** Its process is on another machine. */
  async localUser(): Promise<null> {
    return null
  }

  pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.#send({ say: 'PAUSE', id: this.#id })
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#send({ say: 'RESUME', id: this.#id })
  }

  close(code: number, reason: string): void {
    this.#send({ say: 'CLOSE', id: this.#id, code, reason })
  }
}

function cut(piece: Uint8Array): Uint8Array[] {
  if (piece.byteLength <= PIECE_BYTES) return [piece]
  const count = Math.ceil(piece.byteLength / PIECE_BYTES)
  return Array.from({ length: count }, (_, index) => piece.subarray(index * PIECE_BYTES, (index + 1) * PIECE_BYTES))
}
