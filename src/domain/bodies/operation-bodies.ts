import { setImmediate as turn } from 'node:timers/promises'
import type { BodyData, BodyOmission } from '../../contract/entries/body.ts'
import type { StoredBody } from '../../ports/log/body.ts'
import { RESPONSE_LIMITS, ResponseTooLarge, type OperationReads } from '../log/reading/operation-reads.ts'
import type { Bodies } from './bodies.ts'

/** An available body. */
export interface AvailableBody {
  owner: string
  data: BodyData
  /** Null: it is inline in its entry. */
  stored: StoredBody | null
}

export type BodyOutcome = { body: AvailableBody; omitted: null } | { body: null; omitted: BodyOmission | null }

/** Keys per query of the store. */
const MAX_ASKED = 500

/** Bodies as read by one operation: many at once, within the size limit of a response. */
export class OperationBodies {
  readonly #bodies: Bodies
  readonly #reads: OperationReads
  readonly #rows: Gathered<string, StoredBody | null>
  readonly #contents: Gathered<string, Buffer | ResponseTooLarge | null>
  readonly #stored = new Map<string, StoredBody>()
  #readBytes = 0

  constructor(bodies: Bodies, reads: OperationReads) {
    this.#bodies = bodies
    this.#reads = reads
    this.#rows = new Gathered((keys) => this.#findRows(keys))
    this.#contents = new Gathered((keys) => this.#readContents(keys))
  }

  /** The body of an entry, or why it is missing. An inline body needs no query. */
  outcomeOf(owner: string, data: BodyData | null, omitted: BodyOmission | null): BodyOutcome | Promise<BodyOutcome> {
    if (!data) return { body: null, omitted }
    if (data.sha256 !== null) return this.#storedOutcome(owner, data, data.sha256)
    if (this.#bodies.knowsInline(data)) return { body: { owner, data, stored: null }, omitted: null }
    return { body: null, omitted: 'STORE_FAILED' }
  }

  /** Null: its bytes are missing or damaged. Throws ResponseTooLarge. */
  async bytesOf({ owner, data, stored }: AvailableBody): Promise<Buffer | null> {
    if (!stored) return this.#bodies.inlineBytes(owner, data)
    this.#stored.set(stored.key, stored)
    const content = await this.#contents.of(stored.key)
    if (content instanceof ResponseTooLarge) throw content
    return content
  }

  usedBytes(owner: string): Promise<number> {
    return this.#bodies.usedBytes(owner)
  }

  async #storedOutcome(owner: string, data: BodyData, sha256: string): Promise<BodyOutcome> {
    const stored = await this.#rows.of(JSON.stringify([owner, sha256]))
    return stored ? { body: { owner, data, stored }, omitted: null } : { body: null, omitted: 'STORE_FAILED' }
  }

  async #findRows(keys: readonly string[]): Promise<Map<string, StoredBody | null>> {
    const found = new Map<string, StoredBody | null>(keys.map((key) => [key, null]))
    const asked = keys.map((key) => JSON.parse(key) as [string, string])
    for (const owner of new Set(asked.map(([one]) => one))) {
      const hashes = asked.flatMap(([one, sha256]) => (one === owner ? [sha256] : []))
      for (let at = 0; at < hashes.length; at += MAX_ASKED) {
        const rows = await this.#bodies.find(owner, hashes.slice(at, at + MAX_ASKED))
        for (const row of rows) found.set(JSON.stringify([owner, row.sha256]), row)
      }
    }
    return found
  }

  /**
   * Those that fit: a page of large bodies must not exceed the size limit of a response. The first is read regardless
   * of its size, since a single one fits.
   */
  async #readContents(keys: readonly string[]): Promise<Map<string, Buffer | ResponseTooLarge | null>> {
    const found = new Map<string, Buffer | ResponseTooLarge | null>()
    const reading: Promise<void>[] = []
    let bytes = 0
    const read = async (): Promise<void> => {
      for (const key of keys) {
        const stored = this.#stored.get(key)!
        const isTooMuch = this.#readBytes > 0 && this.#readBytes + stored.sizeBytes > RESPONSE_LIMITS.pageBytes
        if (isTooMuch) {
          found.set(key, new ResponseTooLarge(RESPONSE_LIMITS.pageBytes))
          continue
        }
        this.#readBytes += stored.sizeBytes
        bytes += stored.sizeBytes
        reading.push(this.#bodies.open(stored, this.#reads.signal).then((content) => void found.set(key, content)))
      }
      await Promise.all(reading)
    }
    await this.#reads.read(0, read, () => bytes)
    return found
  }
}

/** Collects requests until the next turn of the event loop, sends one query, and caches the result. */
class Gathered<Key, Value> {
  readonly #ask: (keys: readonly Key[]) => Promise<Map<Key, Value>>
  readonly #asked = new Map<Key, Promise<Map<Key, Value>>>()
  #gathering: { keys: Set<Key>; answers: Promise<Map<Key, Value>> } | null = null

  constructor(ask: (keys: readonly Key[]) => Promise<Map<Key, Value>>) {
    this.#ask = ask
  }

  async of(key: Key): Promise<Value> {
    let answers = this.#asked.get(key)
    if (!answers) {
      this.#gathering ??= this.#gather()
      ;({ answers } = this.#gathering)
      this.#gathering.keys.add(key)
      this.#asked.set(key, answers)
    }
    return (await answers).get(key)!
  }

  #gather() {
    const keys = new Set<Key>()
    const answers = turn().then(() => {
      this.#gathering = null
      return this.#ask([...keys])
    })
    return { keys, answers }
  }
}
