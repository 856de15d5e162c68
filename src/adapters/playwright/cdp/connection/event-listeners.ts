import type { CdpEvent, CdpEvents } from '../protocol/cdp-events.ts'

export type Listener<M extends CdpEvent> = (params: CdpEvents[M], sessionId: string | undefined) => void

/** Listeners to the events of all sessions of a connection, and which events are withheld from Playwright. */
export class EventListeners {
  readonly #listeners = new Map<string, ((params: never, sessionId: string | undefined) => void)[]>()
  readonly #withheld = new Map<string, (params: never, sessionId: string | undefined) => boolean>()
  readonly #failed: (error: unknown, method: string) => void

  /** `failed` receives what a listener throws; the other listeners still hear the event. */
  constructor(failed: (error: unknown, method: string) => void) {
    this.#failed = failed
  }

  on<M extends CdpEvent>(method: M, listener: Listener<M>): void {
    const listeners = this.#listeners.get(method)
    if (listeners) listeners.push(listener)
    else this.#listeners.set(method, [listener])
  }

  withhold<M extends CdpEvent>(method: M, isOurs: (...event: Parameters<Listener<M>>) => boolean): void {
    this.#withheld.set(method, isOurs)
  }

  /** Calls all listeners. Returns whether the event is withheld from Playwright. */
  notify(method: string, params: unknown, sessionId: string | undefined): boolean {
    for (const listener of this.#listeners.get(method) ?? []) {
      try {
        listener(params as never, sessionId)
      } catch (error) {
        this.#failed(error, method)
      }
    }
    return this.#withheld.get(method)?.(params as never, sessionId) === true
  }
}
