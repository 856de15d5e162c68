import type { CdpMessage } from '../protocol/cdp-message.ts'
import { BrowserGone, PageCrashed, TargetGone } from '../protocol/target-gone.ts'

interface PendingCommand {
  sessionId: string | undefined
  /** Of one of a page: see CdpConnection.ask. */
  isInTurn: boolean
  resolve(result: object): void
  reject(error: Error): void
}

/** Commands of our own without a response yet. */
export class PendingCommands {
  readonly #commands = new Map<number, PendingCommand>()
  readonly #crashed = new Set<string>()

  /** Resolves with the browser's result. Rejects when the browser refuses it, or `forget` or `clear` was called. */
  add(id: number, sessionId: string | undefined, isInTurn = false): Promise<object> {
    if (isInTurn && this.#crashed.has(sessionId ?? '')) return Promise.reject(new PageCrashed())
    return new Promise((resolve, reject) => this.#commands.set(id, { resolve, reject, sessionId, isInTurn }))
  }

  /** Whether the answer has to wait for its turn. */
  isInTurn(id: number): boolean {
    return this.#commands.get(id)?.isInTurn === true
  }

  answered(id: number, { error, result }: CdpMessage): void {
    const command = this.#commands.get(id)
    this.#commands.delete(id)
    if (error) command?.reject(new Error(error.message))
    else command?.resolve(result ?? {})
  }

  /** The session is gone: the browser sends no more responses on it. */
  forget(sessionId: string): void {
    this.#crashed.delete(sessionId)
    this.#rejectAll(
      (command) => command.sessionId === sessionId,
      () => new TargetGone(),
    )
  }

  /** The page of the session has crashed: what was asked of it with `isInTurn` rejects, from now on at once. */
  crash(sessionId: string | undefined): void {
    if (sessionId === undefined) return
    this.#crashed.add(sessionId)
    this.#rejectAll(
      (command) => command.isInTurn && command.sessionId === sessionId,
      () => new PageCrashed(),
    )
  }

  /** The browser is gone. */
  clear(): void {
    this.#rejectAll(
      () => true,
      () => new BrowserGone(),
    )
  }

  #rejectAll(isMeant: (command: PendingCommand) => boolean, reason: () => Error): void {
    for (const [id, command] of this.#commands) {
      if (!isMeant(command)) continue
      this.#commands.delete(id)
      command.reject(reason())
    }
  }
}
