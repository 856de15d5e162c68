import type { CdpEvents } from '../cdp/protocol/cdp-events.ts'
import type { UtilityWorlds, WorldId } from '../cdp/connection/utility-worlds.ts'
import type { CommandParams } from './command-policy.ts'
import { startsWith } from '../cdp/pipe/message-text.ts'

/** Of all events, which come by the thousand, these alone are looked into. */
const OF_WORLDS = '{"method":"Runtime.executionContext'
const OF_SCRIPTS = '{"method":"Debugger.script'
const CREATED = '{"method":"Runtime.executionContextCreated"'
const DESTROYED = '{"method":"Runtime.executionContextDestroyed"'
const CLEARED = '{"method":"Runtime.executionContextsCleared"'
const CONTEXT_ID = Buffer.from('"executionContextId":')
/** Longer than any number of a world. */
const NUMBER_BYTES = 12

/** Which parameters of commands name a world, and what a browser says where there is none. */
const NAMING = {
  contextId: { code: -32_000, message: 'Cannot find context with specified id' },
  executionContextId: { code: -32_000, message: 'Cannot find context with specified id' },
  uniqueContextId: { code: -32_602, message: 'uniqueContextId not found' },
} as const

/** Keeps the worlds of our own Playwright from one client: it hears of none, and a number that it guesses names none. */
export class HiddenWorlds {
  readonly #ours: UtilityWorlds
  /** By session of the client that hears of worlds: as the browser told it, before or after it told Playwright. */
  readonly #hidden = new Map<string, Map<number, string>>()

  constructor(ours: UtilityWorlds) {
    this.#ours = ours
  }

  /** Whether the event tells of such a world, and the client is not to hear it. */
  hides(message: Buffer, sessionId: string, targetId: string): boolean {
    if (startsWith(message, OF_SCRIPTS)) return this.#isOfHidden(numberIn(message), sessionId, targetId)
    if (!startsWith(message, OF_WORLDS)) return false
    if (startsWith(message, CREATED)) return this.#isCreated(message, sessionId)
    if (startsWith(message, CLEARED)) this.#hidden.get(sessionId)?.clear()
    return startsWith(message, DESTROYED) && this.#hidden.get(sessionId)?.delete(numberIn(message)) === true
  }

  /** What the browser would say if there were no such world; null: the command names none. */
  refusal(params: CommandParams, sessionId: string, targetId: string): (typeof NAMING)[keyof typeof NAMING] | null {
    for (const [member, error] of Object.entries(NAMING)) {
      const world = params[member]
      if ((typeof world === 'number' || typeof world === 'string') && this.#has(world, sessionId, targetId)) {
        return error
      }
    }
    return null
  }

  forget(sessionId: string): void {
    this.#hidden.delete(sessionId)
  }

  #isCreated(message: Buffer, sessionId: string): boolean {
    const { params } = JSON.parse(message.toString()) as { params: CdpEvents['Runtime.executionContextCreated'] }
    const { id, name, uniqueId } = params.context
    const hidden = this.#hidden.get(sessionId) ?? new Map<number, string>()
    this.#hidden.set(sessionId, hidden)
    const isOurs = this.#ours.isOurs(name)
    // Of another process, the number may have been another's before.
    if (isOurs) hidden.set(id, uniqueId)
    else hidden.delete(id)
    return isOurs
  }

  /** What this session was told is in order with its scripts; what Playwright was told may be of the process before. */
  #isOfHidden(world: number, sessionId: string, targetId: string): boolean {
    return this.#hidden.get(sessionId)?.has(world) ?? this.#ours.has(targetId, world)
  }

  #has(world: WorldId, sessionId: string, targetId: string): boolean {
    const hidden = this.#hidden.get(sessionId)
    const isHidden = typeof world === 'number' ? hidden?.has(world) : [...(hidden?.values() ?? [])].includes(world)
    return isHidden === true || this.#ours.has(targetId, world)
  }
}

/** Read off the message, which may have an address of megabytes in it: in texts, quotation marks are escaped. */
function numberIn(message: Buffer): number {
  const at = message.indexOf(CONTEXT_ID)
  if (at < 0) return Number.NaN
  const start = at + CONTEXT_ID.length
  return Number.parseInt(message.toString('latin1', start, start + NUMBER_BYTES), 10)
}
