import type { CdpEvents } from '../../cdp/protocol/cdp-events.ts'
import { contentLengthOf } from './media-type.ts'

type CdpRequest = CdpEvents['Network.requestWillBeSent']['request']
type Headers = Readonly<Record<string, string>>

/** What a request that is under way sends. */
export interface SentBody {
  /** Its start, at most as much as is recorded; null: the browser did not tell it with the request. */
  bytes: Uint8Array | null
  /** Bytes of all of it; null: not known yet. */
  sizeBytes: number | null
  /** On which session the browser is asked for what it did not tell, as soon as its length is known; null: it is not. */
  askOn: string | null
  /** What the browser was asked for; null: nothing. */
  asked: Promise<Uint8Array | null> | null
}

/** Asks the browser for the body of a request, on a session. Null: it does not have it. Never rejects. */
type Ask = (chainId: string, sessionId: string) => Promise<Uint8Array | null>

/** Bytes of requests under way that are remembered for one session, and how many of them. */
const MOST_HELD_BYTES = 16 * 1024 * 1024
const MOST_HELD = 2_000

/**
 * Bodies of requests under way. A request may never end, so what is remembered is bounded: the oldest is forgotten first.
 */
export class SentBodies {
  readonly #maxBytes: number
  readonly #ask: Ask
  readonly #held = new Map<string, SentBody>()
  /** As the network process tells them, which may be before the request is told. */
  readonly #lengths = new Map<string, number>()
  #heldBytes = 0

  /** `maxBytes`: of one body. */
  constructor(maxBytes: number, ask: Ask) {
    this.#maxBytes = maxBytes
    this.#ask = ask
  }

  /** A request with a body has begun: another hop of the same chain has ended. */
  begin(chainId: string, request: CdpRequest, askOn: string | null): void {
    this.#forget(chainId)
    const sent: SentBody = { ...this.#told(request), askOn, asked: null }
    this.#held.set(chainId, sent)
    this.#heldBytes += heldBytesOf(sent)
    this.#askFor(chainId, sent)
    for (const oldest of this.#held.keys()) {
      if (this.#heldBytes <= MOST_HELD_BYTES && this.#held.size <= MOST_HELD) break
      this.#forget(oldest)
    }
  }

  /** Headers as they went over the wire: only there is the length of a body of which the page does not know it. */
  heard(chainId: string, headers: Headers): void {
    const length = contentLengthOf(headers)
    if (length === null || length === 0) return
    const sent = this.#held.get(chainId)
    if (sent) {
      sent.sizeBytes ??= length
      return this.#askFor(chainId, sent)
    }
    this.#lengths.set(chainId, length)
    const [oldest] = this.#lengths.keys()
    if (oldest !== undefined && this.#lengths.size > MOST_HELD) this.#lengths.delete(oldest)
  }

  /** What the request sent, which is remembered no longer unless it is repeated. Undefined: it was forgotten. */
  take(chainId: string, isRepeated: boolean): SentBody | undefined {
    const sent = this.#held.get(chainId)
    if (!isRepeated) this.#forget(chainId)
    return sent
  }

  #told(request: CdpRequest): Pick<SentBody, 'bytes' | 'sizeBytes'> {
    const { postDataEntries } = request
    if (postDataEntries && postDataEntries.length > 0 && postDataEntries.every(({ bytes }) => bytes !== undefined)) {
      return this.#joined(postDataEntries.map(({ bytes }) => bytes!))
    }
    // The entries, which replace it, are left out where the page's process does not have them.
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
