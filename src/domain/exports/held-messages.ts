/** UTF-16 code units of messages that one export holds, of all sockets and streams that are open at one time. */
export const MOST_HELD = 8 * 1024 * 1024

/** Messages by the socket or stream that they came over, up to a bound: of one for which there is no room, none. */
export class HeldMessages {
  readonly #held = new Map<number, string[]>()
  readonly #refused = new Set<number>()
  readonly #most: number
  #length = 0

  constructor(most: number = MOST_HELD) {
    this.#most = most
  }

  add(id: number, texts: readonly string[]): void {
    if (this.#refused.has(id)) return
    const length = lengthOf(texts)
    if (this.#length + length > this.#most) {
      this.take(id)
      this.#refused.add(id)
      return
    }
    this.#length += length
    const held = this.#held.get(id)
    if (held) held.push(...texts)
    else this.#held.set(id, [...texts])
  }

  /** Those of one, which are held no more; null: there was no room for them. */
  take(id: number): string[] | null {
    if (this.#refused.delete(id)) return null
    const texts = this.#held.get(id) ?? []
    this.#held.delete(id)
    this.#length -= lengthOf(texts)
    return texts
  }
}

const lengthOf = (texts: readonly string[]) => texts.reduce((sum, text) => sum + text.length, 0)
