import type { AttachedClient, SessionHandle } from '../../../src/domain/sessions/session-handle.ts'
import type { CdpClient } from '../../../src/ports/cdp-client.ts'
import type { PageFrames } from '../../../src/ports/live-view.ts'
import { encodeError } from './codec.ts'
import type { Request, Response, LoopbackTransport } from './loopback-transport.ts'

/** Calls with only arguments and a result; those of the second list end with a signal. */
const PLAIN = [
  'snapshot',
  'update',
  'end',
  'health',
  'pages',
  'pendingRequests',
  'logHead',
  'logTail',
  'browserVersion',
  'startTask',
  'cancelTask',
] as const satisfies readonly (keyof SessionHandle)[]
const CANCELLABLE = ['reached', 'act', 'observe', 'dispatchInput', 'saveProfile'] as const

type Member = (...args: unknown[]) => Promise<unknown>

/** The session's side of a loopback: calls the handle for received messages, and sends the results. */
export class ServedHandle {
  readonly #handle: SessionHandle
  readonly #out: LoopbackTransport<Response>
  readonly #calls = new Map<number, AbortController>()
  readonly #streams = new Map<number, PageFrames>()
  readonly #uploads = new Map<number, (chunk: Extract<Request, { say: 'CHUNK' }>) => void>()
  readonly #clients = new Map<number, { far: FarClient; attached: AttachedClient | null }>()

  constructor(handle: SessionHandle, incoming: LoopbackTransport<Request>, out: LoopbackTransport<Response>) {
    this.#handle = handle
    this.#out = out
    incoming.onMessage((request) => this.#receive(request))
  }

  #receive(request: Request): void {
    const { say } = request
    if (say === 'CALL') this.#answer(request.id, (signal) => this.#call(request, signal))
    else if (say === 'ABORT') this.#calls.get(request.id)?.abort()
    else if (say === 'NEXT') this.#answer(request.id, async () => this.#streams.get(request.stream)?.next() ?? ENDED)
    else if (say === 'RETURN') {
      void this.#streams.get(request.stream)?.return?.()
      this.#streams.delete(request.stream)
      this.#calls.delete(request.stream)
    } else if (say === 'CHUNK') this.#uploads.get(request.id)?.(request)
    else if (say === 'RECEIVE') this.#clients.get(request.id)?.attached?.receive(request.message)
    else if (say === 'TAKEN') this.#clients.get(request.id)?.far.taken(request.bytes, request.unsentBytes)
    else if (say === 'LOCAL_USER') this.#clients.get(request.id)?.far.reported(request.user)
    else this.#answer(request.id, async () => this.#clients.get(request.client)?.attached?.leave(request.reason))
  }

  #answer(id: number, work: (signal: AbortSignal) => Promise<unknown>): void {
    const { signal } = this.#begin(id)
    work(signal)
      .then(
        (result) => this.#out.send({ say: 'RESULT', id, result: result ?? null }),
        (error: unknown) => this.#out.send({ say: 'ERROR', id, error: encodeError(error, signal) }),
      )
      .finally(() => {
        // The signal that started the frames ends them.
        if (!this.#streams.has(id)) this.#calls.delete(id)
      })
  }

  #begin(id: number): AbortController {
    const controller = new AbortController()
    this.#calls.set(id, controller)
    return controller
  }

  async #call({ id, method, args }: Extract<Request, { say: 'CALL' }>, signal: AbortSignal): Promise<unknown> {
    const handle = this.#handle
    if (method === 'watch') {
      this.#streams.set(id, await handle.watch(args[0] as Parameters<SessionHandle['watch']>[0], signal))
      return null
    }
    if (method === 'keepUpload') {
      return handle.saveUpload(args[0] as Parameters<SessionHandle['saveUpload']>[0], this.#contentOf(id), signal)
    }
    if (method === 'attachClient') {
      const client = { far: new FarClient(id, this.#out), attached: null as AttachedClient | null }
      this.#clients.set(id, client)
      client.attached = await handle.attachClient(args[0] as string, client.far)
      return null
    }
    const plain = PLAIN.find((name) => name === method)
    if (plain) return (handle[plain] as Member).apply(handle, args)
    const cancellable = CANCELLABLE.find((name) => name === method)!
    return (handle[cancellable] as Member).apply(handle, [...args, signal])
  }

  /** Chunks of an upload, each requested on demand. */
  #contentOf(id: number): AsyncIterable<Uint8Array> {
    const end = () => {
      // Also the chunk that is being waited for.
      this.#uploads.get(id)?.({ say: 'CHUNK', id, bytes: null, hasFailed: false })
      this.#uploads.delete(id)
      this.#out.send({ say: 'ENOUGH', id })
      return ENDED
    }
    const next = async (): Promise<IteratorResult<Uint8Array, undefined>> => {
      const { promise, resolve } = Promise.withResolvers<Extract<Request, { say: 'CHUNK' }>>()
      this.#uploads.set(id, resolve)
      this.#out.send({ say: 'WANT', id })
      const { bytes, hasFailed } = await promise
      if (hasFailed) throw new Error('the source failed')
      return bytes === null ? ENDED : { done: false, value: bytes }
    }
    return { [Symbol.asyncIterator]: () => ({ next, return: async () => end() }) }
  }
}

const ENDED = { done: true, value: undefined } as const

/** A client at the other end: data that it has not acknowledged is unsent. */
class FarClient implements CdpClient {
  readonly #id: number
  readonly #out: LoopbackTransport<Response>
  readonly #users: ((user: number | null) => void)[] = []
  #underWay = 0
  #unsentThere = 0

  constructor(id: number, out: LoopbackTransport<Response>) {
    this.#id = id
    this.#out = out
  }

  get unsentBytes(): number {
    return this.#underWay + this.#unsentThere
  }

  send(pieces: readonly Uint8Array[]): void {
    const bytes = Buffer.concat(pieces)
    this.#underWay += bytes.length
    this.#out.send({ say: 'SEND', id: this.#id, bytes })
  }

  taken(bytes: number, unsentBytes: number): void {
    this.#underWay -= bytes
    this.#unsentThere = unsentBytes
  }

  localUser(): Promise<number | null> {
    const { promise, resolve } = Promise.withResolvers<number | null>()
    this.#users.push(resolve)
    this.#out.send({ say: 'ASK_LOCAL_USER', id: this.#id })
    return promise
  }

  reported(user: number | null): void {
    this.#users.shift()?.(user)
  }

  pause(): void {
    this.#out.send({ say: 'PAUSE', id: this.#id })
  }

  resume(): void {
    this.#out.send({ say: 'RESUME', id: this.#id })
  }

  close(code: number, reason: string): void {
    this.#out.send({ say: 'CLOSE', id: this.#id, code, reason })
  }
}
