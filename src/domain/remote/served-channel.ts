import type { Logger } from 'pino'
import type { PageFrames } from '../../ports/browser/live-view.ts'
import type { MachineChannel } from '../../ports/machines/machine-link.ts'
import { ownedBy } from '../../fault-owner.ts'
import type { MemoryBudget } from '../kernel/memory-budget.ts'
import type { SessionHandle } from '../sessions/session-handle.ts'
import type { AttachedResult, Request, Response } from './call-messages.ts'
import { decode, encode, encodeError } from './codec.ts'
import { FarClient } from './far-client.ts'
import { isMethod, runMethod } from './handle-methods.ts'

/** The session's side of a connection: calls the handle for received messages, and sends the results. */
export class ServedChannel {
  readonly #handle: SessionHandle
  readonly #channel: MachineChannel
  readonly #memory: MemoryBudget
  readonly #logger: Logger
  readonly #calls = new Map<number, AbortController>()
  readonly #streams = new Map<number, PageFrames>()
  readonly #uploads = new Map<number, (chunk: Chunk) => void>()
  readonly #clients = new Map<number, FarClient>()
  #hasEnded = false

  /** `memory`: of all clients of this machine. */
  constructor(handle: SessionHandle, channel: MachineChannel, memory: MemoryBudget, logger: Logger) {
    this.#handle = handle
    this.#channel = channel
    this.#memory = memory
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
    else if (say === 'RECEIVE') this.#clients.get(request.id)?.receive(request.message, request.isLast ?? true)
    else if (say === 'TAKEN') this.#clients.get(request.id)?.taken(request.bytes, request.unsentBytes)
    else this.#answer(request.id, async () => this.#clients.get(request.client)?.leave(request.reason))
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
      const client = new FarClient(id, (message) => this.#send(message), this.#memory)
      this.#clients.set(id, client)
      client.attached(await handle.attachClient(args[0] as string, client))
      if (this.#hasEnded) await client.leave('CONNECTION_LOST')
      return { takesPieces: true } satisfies AttachedResult
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
    for (const client of this.#clients.values()) void client.leave('CONNECTION_LOST')
  }
}

type Call = Extract<Request, { say: 'CALL' }>
type Chunk = Pick<Extract<Request, { say: 'CHUNK' }>, 'bytes' | 'hasFailed'>

const STREAMING: ReadonlySet<string> = new Set(['watch', 'saveUpload', 'attachClient'])
const ENDED = { done: true, value: undefined } as const
