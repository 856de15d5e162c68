import type { CdpMessage } from '../protocol/cdp-message.ts'

const SET_SIZES = 'Emulation.setDeviceMetricsOverride'

interface Command {
  method: string
  params: object
}

/** Of each session: the last parameters that Playwright gave each command that emulates something. */
export class EmulationMemory {
  readonly #sessions = new Map<string, Map<string, object>>()

  /** Playwright sends a command. */
  note({ method, params, sessionId }: CdpMessage): void {
    if (sessionId === undefined || !params || method?.startsWith('Emulation.') !== true) return
    const ofSession = this.#sessions.get(sessionId) ?? new Map<string, object>()
    this.#sessions.set(sessionId, ofSession.set(method, params))
  }

  forget(sessionId: string): void {
    this.#sessions.delete(sessionId)
  }

  /** What to send so that the session is as Playwright had set it by these methods. */
  commands(sessionId: string, methods: ReadonlySet<string>): Command[] {
    const commands: Command[] = []
    for (const [method, params] of this.#sessions.get(sessionId) ?? []) {
      if (!methods.has(method)) continue
      // To the browser these are no news, as the session had said them before, and it would leave the screen as it is.
      if (method === SET_SIZES) commands.push({ method: 'Emulation.clearDeviceMetricsOverride', params: {} })
      commands.push({ method, params })
    }
    return commands
  }
}
