import type { CdpClient } from '../../src/ports/browser/cdp-client.ts'

/** A CDP client that stores everything it receives. */
export class KeepingClient implements CdpClient {
  unsentBytes = 0
  readonly messages: { id?: number; result?: object }[] = []
  readonly closed = Promise.withResolvers<[code: number, reason: string]>()
  #reported: (() => void) | null = null

  send(pieces: readonly Uint8Array[]): void {
    this.messages.push(JSON.parse(Buffer.concat(pieces).toString()) as { id?: number })
    this.#reported?.()
  }

  async answerTo(id: number): Promise<object> {
    for (;;) {
      const answer = this.messages.find((message) => message.id === id)
      if (answer) return answer
      await new Promise<void>((resolve) => (this.#reported = resolve))
    }
  }

  localUser = async () => null
  pause = () => {}
  resume = () => {}
  close = (code: number, reason: string) => this.closed.resolve([code, reason])
}
