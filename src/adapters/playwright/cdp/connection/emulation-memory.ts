import type { CdpMessage } from '../protocol/cdp-message.ts'

const SET_SIZES = 'Emulation.setDeviceMetricsOverride'

interface Command {
  method: string
  params: object
}

/** The last parameters of each of Playwright's emulation commands, by session. */
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

  /** Commands that restore Playwright's settings by these methods on the session. */
  commands(sessionId: string, methods: ReadonlySet<string>): Command[] {
    const commands: Command[] = []
    for (const [method, params] of this.#sessions.get(sessionId) ?? []) {
      if (!methods.has(method)) continue
      // The browser ignores parameters that equal the session's last ones, and would leave the screen as it is.
      if (method === SET_SIZES) commands.push({ method: 'Emulation.clearDeviceMetricsOverride', params: {} })
      commands.push({ method, params })
    }
    return commands
  }
}
