/** Rendering a log takes most of a frame, and more frequent changes are unreadable. */
const TELL_EVERY_MS = 50

/**
 * Notifies of the first change at the next frame, and of further ones at most twenty times a second. For
 * useSyncExternalStore, with `version` as the snapshot.
 */
export class Changes {
  readonly #listeners = new Set<() => void>()
  #version = 0
  #isTelling = false
  #toldAt = Number.NEGATIVE_INFINITY

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  readonly version = (): number => this.#version

  tell(): void {
    if (this.#isTelling) return
    this.#isTelling = true
    const wait = this.#toldAt + TELL_EVERY_MS - performance.now()
    if (wait > 0) setTimeout(() => this.#tellAtFrame(), wait)
    else this.#tellAtFrame()
  }

  #tellAtFrame(): void {
    requestAnimationFrame((now) => {
      this.#isTelling = false
      this.#toldAt = now
      this.#version += 1
      for (const listener of this.#listeners) listener()
    })
  }
}
