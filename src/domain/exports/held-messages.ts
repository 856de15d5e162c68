/** UTF-16 code units of messages held by one export, over all sockets and streams open at the same time. */
export const MAX_HELD = 8 * 1024 * 1024

/** Messages by socket or stream, up to a bound. A socket or stream that does not fit keeps none. */
export class HeldMessages {
  readonly #held = new Map<number, string[]>()
  readonly #refused = new Set<number>()
  readonly #most: number
  #length = 0

  constructor(most: number = MAX_HELD) {
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

  /** Removes and returns the messages of one; null if they did not fit. */
  take(id: number): string[] | null {
    if (this.#refused.delete(id)) return null
    const texts = this.#held.get(id) ?? []
    this.#held.delete(id)
    this.#length -= lengthOf(texts)
    return texts
  }
}

const lengthOf = (texts: readonly string[]) => texts.reduce((sum, text) => sum + text.length, 0)
