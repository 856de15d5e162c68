import type { CdpMessage } from '../protocol/cdp-message.ts'
import { TargetGone } from '../protocol/target-gone.ts'

interface PendingCommand {
  sessionId: string | undefined
  resolve(result: object): void
  reject(error: Error): void
}

/** Commands of our own without a response yet. */
export class PendingCommands {
  readonly #commands = new Map<number, PendingCommand>()

  /**
   * Resolves with the browser's result. Rejects when the browser returns an error, or `forget` or `clear` was called.
   */
  add(id: number, sessionId: string | undefined): Promise<object> {
    return new Promise((resolve, reject) => this.#commands.set(id, { resolve, reject, sessionId }))
  }

  answered(id: number, { error, result }: CdpMessage): void {
    const command = this.#commands.get(id)
    this.#commands.delete(id)
    if (error) command?.reject(new Error(error.message))
    else command?.resolve(result ?? {})
  }

  /** The session is gone: the browser sends no more responses on it. */
  forget(sessionId: string): void {
    for (const [id, command] of this.#commands) {
      if (command.sessionId !== sessionId) continue
      this.#commands.delete(id)
      command.reject(new TargetGone())
    }
  }

  /** The browser is gone. */
  clear(): void {
    for (const command of this.#commands.values()) command.reject(new Error('the browser is gone'))
    this.#commands.clear()
  }
}
