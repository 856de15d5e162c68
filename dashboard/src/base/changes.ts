/** Rendering a log takes most of a frame, and more frequent changes are unreadable. */
const NOTIFY_EVERY_MS = 50

/**
 * Notifies of the first change at the next frame, and of further ones at most twenty times a second. For
 * useSyncExternalStore, with `version` as the snapshot.
 */
export class Changes {
  readonly #listeners = new Set<() => void>()
  #version = 0
  #isNotifying = false
  #notifiedAt = Number.NEGATIVE_INFINITY

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  readonly version = (): number => this.#version

  notify(): void {
    if (this.#isNotifying) return
    this.#isNotifying = true
    const wait = this.#notifiedAt + NOTIFY_EVERY_MS - performance.now()
    if (wait > 0) setTimeout(() => this.#notifyAtFrame(), wait)
    else this.#notifyAtFrame()
  }

  #notifyAtFrame(): void {
    requestAnimationFrame((now) => {
      this.#isNotifying = false
      this.#notifiedAt = now
      this.#version += 1
      for (const listener of this.#listeners) listener()
    })
  }
}
