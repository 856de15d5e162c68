import type { CdpEvent, CdpEvents } from '../protocol/cdp-events.ts'
import type { CdpMessage } from '../protocol/cdp-message.ts'

interface Listening {
  on<M extends CdpEvent>(method: M, listener: (params: CdpEvents[M], sessionId: string | undefined) => void): void
}

/**
 * Identifies a world in the parameters of a command: a number, unique within a process, or a globally unique string.
 */
export type WorldId = number | string

/**
 * The isolated worlds in which our own Playwright runs its scripts. Clients share pages, and worlds with them: the
 * browser reports all worlds to every client, and lets every client run scripts in each. These worlds are ours alone.
 */
export class UtilityWorlds {
  readonly #nameOf = new Map<string, string>()
  readonly #sessionsWith = new Map<string, number>()
  readonly #targetOf = new Map<string, string>()
  /** By target: number and unique name of each. */
  readonly #worlds = new Map<string, Map<number, string>>()

  constructor(connection: Listening) {
    connection.on('Target.attachedToTarget', ({ sessionId, targetInfo }) =>
      this.#targetOf.set(sessionId, targetInfo.targetId),
    )
    connection.on('Target.detachedFromTarget', ({ sessionId }) => this.#forget(sessionId))
    connection.on('Runtime.executionContextCreated', ({ context: { id, name, uniqueId } }, sessionId) => {
      const targetId = sessionId === undefined ? undefined : this.#targetOf.get(sessionId)
      if (targetId === undefined || !this.isOurs(name)) return
      const ofTarget = this.#worlds.get(targetId) ?? new Map<number, string>()
      this.#worlds.set(targetId, ofTarget.set(id, uniqueId))
    })
    // By number, as commands identify a world.
    // oxlint-disable-next-line typescript/no-deprecated
    connection.on('Runtime.executionContextDestroyed', ({ executionContextId }, sessionId) =>
      this.#worlds.get(this.#targetOf.get(sessionId ?? '') ?? '')?.delete(executionContextId),
    )
    // In a new process the numbers start again.
    connection.on('Runtime.executionContextsCleared', (_, sessionId) =>
      this.#worlds.delete(this.#targetOf.get(sessionId ?? '') ?? ''),
    )
  }

  /** Playwright sends a command. */
  note({ method, params, sessionId }: CdpMessage): void {
    if (sessionId === undefined || method !== 'Page.addScriptToEvaluateOnNewDocument') return
    const { worldName } = (params ?? {}) as { worldName?: unknown }
    if (typeof worldName !== 'string' || this.#nameOf.get(sessionId) === worldName) return
    this.#forgetName(sessionId)
    this.#nameOf.set(sessionId, worldName)
    this.#sessionsWith.set(worldName, (this.#sessionsWith.get(worldName) ?? 0) + 1)
  }

  isOurs(name: string): boolean {
    return this.#sessionsWith.has(name)
  }

  /** Whether this is one of ours, in that page, frame or worker. */
  has(targetId: string, world: WorldId): boolean {
    const ofTarget = this.#worlds.get(targetId)
    if (!ofTarget) return false
    return typeof world === 'number' ? ofTarget.has(world) : [...ofTarget.values()].includes(world)
  }

  #forget(sessionId: string): void {
    this.#forgetName(sessionId)
    const targetId = this.#targetOf.get(sessionId)
    this.#targetOf.delete(sessionId)
    if (targetId !== undefined && ![...this.#targetOf.values()].includes(targetId)) this.#worlds.delete(targetId)
  }

  #forgetName(sessionId: string): void {
    const name = this.#nameOf.get(sessionId)
    if (name === undefined) return
    this.#nameOf.delete(sessionId)
    const left = (this.#sessionsWith.get(name) ?? 1) - 1
    if (left === 0) this.#sessionsWith.delete(name)
    else this.#sessionsWith.set(name, left)
  }
}
