import { Deadline } from '../../../../async/deadline.ts'
import type { CdpEvents } from '../../cdp/protocol/cdp-events.ts'
import { contentLengthOf } from './media-type.ts'

type CdpRequest = CdpEvents['Network.requestWillBeSent']['request']
type Headers = Readonly<Record<string, string>>

/** The body of a pending request. */
export interface SentBody {
  /** Its start, at most as much as is recorded; null: the browser did not report it with the request. */
  bytes: Uint8Array | null
  /** Total bytes; null: not known yet. */
  sizeBytes: number | null
  /** The session on which to fetch an unreported body, as soon as its length is known; null: it is not fetched. */
  askOn: string | null
  /** The fetch in progress; null: none. */
  asked: Promise<Uint8Array | null> | null
}

/** Fetches the body of a request from the browser, on a session. Null: the browser does not have it. Never rejects. */
type Ask = (chainId: string, sessionId: string) => Promise<Uint8Array | null>

/** Most bytes, and most requests, that are remembered for one session. */
const MAX_HELD_BYTES = 16 * 1024 * 1024
const MAX_HELD = 2_000

/** Bodies of pending requests. A request may never end, so memory is bounded: the oldest is forgotten first. */
export class SentBodies {
  readonly #maxBytes: number
  readonly #ask: Ask
  readonly #held = new Map<string, SentBody>()
  /** As reported by the network process, possibly before the request itself. */
  readonly #lengths = new Map<string, number>()
  /** Of ended requests whose length the network process has not reported yet. */
  readonly #unsized = new Map<string, { sent: SentBody; sized: () => void }>()
  #heldBytes = 0

  /** `maxBytes`: limit of one body. */
  constructor(maxBytes: number, ask: Ask) {
    this.#maxBytes = maxBytes
    this.#ask = ask
  }

  /** A request with a body has begun: the previous hop of the chain has ended. */
  begin(chainId: string, request: CdpRequest, askOn: string | null): void {
    this.#forget(chainId)
    const sent: SentBody = { ...this.#reported(request), askOn, asked: null }
    this.#held.set(chainId, sent)
    this.#heldBytes += heldBytesOf(sent)
    this.#askFor(chainId, sent)
    for (const oldest of this.#held.keys()) {
      if (this.#heldBytes <= MAX_HELD_BYTES && this.#held.size <= MAX_HELD) break
      this.#forget(oldest)
    }
  }

  /** Headers as sent: the only place for the length of a body that the page does not know. */
  received(chainId: string, headers: Headers): void {
    const length = contentLengthOf(headers)
    if (length === null || length === 0) return
    const unsized = this.#unsized.get(chainId)
    if (unsized) {
      unsized.sent.sizeBytes = length
      return unsized.sized()
    }
    const sent = this.#held.get(chainId)
    if (sent) {
      sent.sizeBytes ??= length
      return this.#askFor(chainId, sent)
    }
    this.#lengths.set(chainId, length)
    const [oldest] = this.#lengths.keys()
    if (oldest !== undefined && this.#lengths.size > MAX_HELD) this.#lengths.delete(oldest)
  }

  /** Body of the request, which is forgotten unless the request is repeated. Undefined: it was forgotten already. */
  take(chainId: string, isRepeated: boolean): SentBody | undefined {
    const sent = this.#held.get(chainId)
    if (!isRepeated) this.#forget(chainId)
    return sent
  }

  /** Waits until the length of an ended request's body is known, or the time is over. */
  async whenSized(chainId: string, sent: SentBody, ms: number, late: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const unsized = { sent, sized: resolve }
    this.#unsized.set(chainId, unsized)
    await Deadline.isMet(promise, ms, late)
    if (this.#unsized.get(chainId) === unsized) this.#unsized.delete(chainId)
  }

  #reported(request: CdpRequest): Pick<SentBody, 'bytes' | 'sizeBytes'> {
    const { postDataEntries } = request
    if (postDataEntries && postDataEntries.length > 0 && postDataEntries.every(({ bytes }) => bytes !== undefined)) {
      return this.#joined(postDataEntries.map(({ bytes }) => bytes!))
    }
    // The entries, which replace it, are missing if the page's process does not have them.
    // oxlint-disable-next-line typescript/no-deprecated
    const { postData } = request
    if (postData === undefined) return { bytes: null, sizeBytes: null }
    const bytes = Buffer.from(postData)
    return { bytes: Uint8Array.prototype.slice.call(bytes, 0, this.#maxBytes), sizeBytes: bytes.length }
  }

  #joined(parts: readonly string[]): Pick<SentBody, 'bytes' | 'sizeBytes'> {
    let left = this.#maxBytes
    const kept: Buffer[] = []
    for (const part of parts) {
      if (left <= 0) break
      const bytes = Buffer.from(part.slice(0, Math.ceil(left / 3) * 4), 'base64').subarray(0, left)
      kept.push(bytes)
      left -= bytes.length
    }
    const sizeBytes = parts.reduce((sum, part) => sum + Buffer.byteLength(part, 'base64'), 0)
    return { bytes: Uint8Array.from(Buffer.concat(kept)), sizeBytes }
  }

  #askFor(chainId: string, sent: SentBody): void {
    if (sent.bytes !== null || sent.asked !== null) return
    sent.sizeBytes ??= this.#lengths.get(chainId) ?? null
    this.#lengths.delete(chainId)
    if (sent.askOn === null || sent.sizeBytes === null || sent.sizeBytes > this.#maxBytes) return
    sent.asked = this.#ask(chainId, sent.askOn)
    this.#heldBytes += sent.sizeBytes
  }

  #forget(chainId: string): void {
    const sent = this.#held.get(chainId)
    if (!sent) return
    this.#held.delete(chainId)
    this.#heldBytes -= heldBytesOf(sent)
  }
}

const heldBytesOf = ({ bytes, sizeBytes, asked }: SentBody) => bytes?.length ?? (asked ? (sizeBytes ?? 0) : 0)
