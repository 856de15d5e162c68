import { Readable } from 'node:stream'
import type { ArtifactRecord } from '../../../src/ports/artifact.ts'
import type { BrowserVersion, PageState } from '../../../src/ports/browser.ts'
import type { CdpClient } from '../../../src/ports/cdp-client.ts'
import type { PageFrame, PageFrames } from '../../../src/ports/live-view.ts'
import type { LogEntry, PendingRequest } from '../../../src/ports/log-entry.ts'
import type { ProfileDescription } from '../../../src/ports/profile.ts'
import type { SessionPatch } from '../../../src/ports/session-record.ts'
import type { LogHead } from '../../../src/ports/store.ts'
import type { TaskRecord } from '../../../src/ports/task.ts'
import type { SessionSnapshot } from '../../../src/domain/log/entries/session-snapshot.ts'
import type { SessionHealth } from '../../../src/domain/sessions/session-health.ts'
import type {
  AttachedClient,
  GivenActions,
  GivenInput,
  GivenObservation,
  GivenUpload,
  GivenWatch,
  ObservedPage,
  SessionHandle,
} from '../../../src/domain/sessions/session-handle.ts'
import { decodeError } from './codec.ts'
import { ServedHandle } from './served-handle.ts'
import { LoopbackTransport, type Request, type Response } from './loopback-transport.ts'

interface Pending {
  signal: AbortSignal | undefined
  resolve(result: unknown): void
  reject(error: unknown): void
}

/** Poll interval for a client with unsent data. */
const UNSENT_LOOK_MS = 10

/** A handle whose session is reached only by bytes: the two sides never share an object. */
export class LoopbackHandle implements SessionHandle {
  readonly sessionId: string
  readonly owner: string
  readonly #out = new LoopbackTransport<Request>()
  readonly #incoming = new LoopbackTransport<Response>()
  readonly #pending = new Map<number, Pending>()
  readonly #uploads = new Map<number, AsyncIterator<Uint8Array>>()
  readonly #clients = new Map<number, CdpClient>()
  #ids = 0

  constructor(handle: SessionHandle) {
    this.sessionId = handle.sessionId
    this.owner = handle.owner
    new ServedHandle(handle, this.#out, this.#incoming)
    this.#incoming.onMessage((response) => this.#receive(response))
  }

  snapshot = () => this.#ask<SessionSnapshot>('snapshot')
  reached = (state: 'RUNNING' | 'LOADED', signal: AbortSignal) => this.#ask<SessionSnapshot>('reached', [state], signal)
  act = (given: GivenActions, signal: AbortSignal) => this.#ask<LogEntry<'ACTION'>[]>('act', [given], signal)
  observe = (given: GivenObservation, signal: AbortSignal) => this.#ask<ObservedPage>('observe', [given], signal)
  update = (change: SessionPatch) => this.#ask<SessionSnapshot>('update', [change])
  end = () => this.#ask<void>('end')
  health = () => this.#ask<SessionHealth>('health')
  pages = () => this.#ask<PageState[]>('pages')
  pendingRequests = (limit: number) => this.#ask<PendingRequest[]>('pendingRequests', [limit])
  logHead = () => this.#ask<LogHead>('logHead')
  logTail = (...args: [number, number, number]) => this.#ask<LogEntry[] | null>('logTail', args)
  dispatchInput = (given: GivenInput, signal: AbortSignal) => this.#ask<boolean>('dispatchInput', [given], signal)
  browserVersion = () => this.#ask<BrowserVersion>('browserVersion')
  startTask = (input: unknown) => this.#ask<TaskRecord>('startTask', [input])
  cancelTask = (taskId: string) => this.#ask<TaskRecord>('cancelTask', [taskId])
  saveProfile = (name: string, signal: AbortSignal) => this.#ask<ProfileDescription>('saveProfile', [name], signal)

  async watch(given: GivenWatch, signal: AbortSignal): Promise<PageFrames> {
    const { id: stream, result } = this.#expect<null>(signal)
    this.#out.send({ say: 'CALL', id: stream, method: 'watch', args: [given] })
    // The signal ends the frames, too.
    const stopListening = this.#abortWith(stream, signal)
    await result.catch((error: unknown) => {
      stopListening()
      throw error
    })
    const left = Promise.withResolvers<typeof ENDED>()
    const end = async () => {
      stopListening()
      this.#out.send({ say: 'RETURN', stream })
      left.resolve(ENDED)
      return ENDED
    }
    const next = async () => {
      const { id, result: item } = this.#expect<IteratorResult<PageFrame, undefined>>()
      this.#out.send({ say: 'NEXT', id, stream })
      const frame = await Promise.race([item, left.promise])
      if (frame.done === true) stopListening()
      return frame
    }
    const frames: PageFrames = { [Symbol.asyncIterator]: () => frames, next, return: end }
    return frames
  }

  async attachClient(name: string, client: CdpClient): Promise<AttachedClient> {
    const { id: own, result } = this.#call<null>('attachClient', [name], undefined, (id) =>
      this.#clients.set(id, client),
    )
    await result
    return {
      receive: (message) => this.#out.send({ say: 'RECEIVE', id: own, message }),
      leave: async (reason) => {
        const { id, result: hasLeft } = this.#expect<null>()
        this.#out.send({ say: 'LEAVE', id, client: own, reason })
        await hasLeft
        this.#clients.delete(own)
      },
    }
  }

  async saveUpload(
    file: GivenUpload,
    content: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<ArtifactRecord> {
    // It may fail before it is read.
    if (content instanceof Readable) content.on('error', () => {})
    const source = content[Symbol.asyncIterator]()
    let failure: { error: unknown } | null = null
    const chunks: AsyncIterator<Uint8Array> = {
      next: () =>
        source.next().catch((error: unknown) => {
          failure = { error }
          throw error
        }),
    }
    const { id, result } = this.#call<ArtifactRecord>('keepUpload', [file], signal, (own) =>
      this.#uploads.set(own, chunks),
    )
    try {
      return await result
    } catch (error) {
      throw (failure as { error: unknown } | null)?.error ?? error
    } finally {
      this.#uploads.delete(id)
      await source.return?.()
    }
  }

  #ask<T>(method: string, args: readonly unknown[] = [], signal?: AbortSignal): Promise<T> {
    return this.#call<T>(method, args, signal).result
  }

  #call<T>(method: string, args: readonly unknown[], signal?: AbortSignal, before?: (id: number) => void) {
    const expected = this.#expect<T>(signal)
    const { id } = expected
    before?.(id)
    this.#out.send({ say: 'CALL', id, method, args: [...args] })
    const stopListening = this.#abortWith(id, signal)
    const result = expected.result.finally(stopListening)
    return { id, result }
  }

  #abortWith(id: number, signal: AbortSignal | undefined): () => void {
    const abort = () => this.#out.send({ say: 'ABORT', id })
    if (signal?.aborted) abort()
    signal?.addEventListener('abort', abort, { once: true })
    return () => signal?.removeEventListener('abort', abort)
  }

  #expect<T>(signal?: AbortSignal): { id: number; result: Promise<T> } {
    this.#ids += 1
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    this.#pending.set(this.#ids, { signal, resolve: (result) => resolve(result as T), reject })
    return { id: this.#ids, result: promise }
  }

  #receive(response: Response): void {
    const { say, id } = response
    const client = this.#clients.get(id)
    if (say === 'RESULT') this.#settle(id)?.resolve(response.result)
    else if (say === 'ERROR') {
      const pending = this.#settle(id)
      pending?.reject(decodeError(response.error, pending.signal))
    } else if (say === 'WANT') void this.#giveChunk(id)
    else if (say === 'ENOUGH') this.#uploads.delete(id)
    else if (say === 'SEND') client?.send([response.bytes])
    else if (say === 'PAUSE') client?.pause()
    else if (say === 'RESUME') client?.resume()
    else if (say === 'CLOSE') client?.close(response.code, response.reason)
    else void client?.localUser().then((user) => this.#out.send({ say: 'LOCAL_USER', id, user }))
    if (say === 'SEND') this.#reportTaken(id, response.bytes.byteLength)
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
      this.#out.send({ say: 'CHUNK', id, bytes, hasFailed: false })
    } catch {
      this.#out.send({ say: 'CHUNK', id, bytes: null, hasFailed: true })
    }
  }

  #reportTaken(id: number, bytes: number): void {
    const unsentBytes = this.#clients.get(id)?.unsentBytes ?? 0
    this.#out.send({ say: 'TAKEN', id, bytes, unsentBytes })
    if (unsentBytes > 0) setTimeout(() => this.#reportTaken(id, 0), UNSENT_LOOK_MS).unref()
  }
}

const ENDED = { done: true, value: undefined } as const
