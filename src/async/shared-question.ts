/**
 * A question whose answer serves all who ask while it is not yet put. Those who ask while one is being answered share
 * the next: the answer on its way may be older than what they have seen.
 */
export class SharedQuestion {
  readonly #put: () => Promise<void>
  #current: Promise<void> | null = null
  #next: Promise<void> | null = null

  constructor(put: () => Promise<void>) {
    this.#put = put
  }

  /** Resolves with an answer that was asked for after this call. */
  ask(): Promise<void> {
    if (this.#current === null) return this.#begin()
    this.#next ??= this.#current.then(
      () => this.#continue(),
      () => this.#continue(),
    )
    return this.#next
  }

  #continue(): Promise<void> {
    this.#next = null
    return this.#begin()
  }

  #begin(): Promise<void> {
    const answered = this.#put().finally(() => {
      if (this.#current === answered) this.#current = null
    })
    this.#current = answered
    return answered
  }
}
