/** Tells of changes once a frame, however many there were. For useSyncExternalStore, with `version` as the snapshot. */
export class Changes {
  readonly #listeners = new Set<() => void>()
  #version = 0
  #isTelling = false

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  readonly version = (): number => this.#version

  tell(): void {
    if (this.#isTelling) return
    this.#isTelling = true
    requestAnimationFrame(() => {
      this.#isTelling = false
      this.#version += 1
      for (const listener of this.#listeners) listener()
    })
  }
}
