import { readEnds, readId } from '../pipe/message-text.ts'
import { ownedAnswer, ownedTenant, type Tenant, type TenantResponse } from './tenant.ts'

/** Those who drive sessions of the protocol of their own over one pipe, and the answers that they wait for. */
export class TenantSet {
  readonly #bySession = new Map<string, Tenant>()
  readonly #answers = new Map<number, TenantResponse>()

  host(sessionId: string, guest: Tenant): void {
    this.#bySession.set(sessionId, ownedTenant(guest))
  }

  unhost(sessionId: string): void {
    this.#bySession.delete(sessionId)
  }

  /** Whose session it is; undefined: it belongs to no guest. */
  of(sessionId: string | null): Tenant | undefined {
    return sessionId === null ? undefined : this.#bySession.get(sessionId)
  }

  /** Returns how to want the answer no more. */
  expect(id: number, answer: TenantResponse): () => void {
    this.#answers.set(id, ownedAnswer(answer))
    return () => this.#answers.delete(id)
  }

  /** Who waits for the answer, which comes once. */
  takeAnswer(id: number): TenantResponse | undefined {
    const answer = this.#answers.get(id)
    this.#answers.delete(id)
    return answer
  }

  /** Whether a message that begins like this is, or may be, a guest's. */
  mayBeRelayed(head: Buffer): boolean {
    const { id } = readId(head)
    return id === null ? this.#bySession.size > 0 : this.#answers.has(id)
  }

  /** Whether the message is a guest's. */
  handOver(message: Buffer): boolean {
    if (this.#bySession.size === 0 && this.#answers.size === 0) return false
    const ends = readEnds(message)
    if (ends.id !== null) {
      const answer = this.takeAnswer(ends.id)
      answer?.answered(message, ends)
      return answer !== undefined
    }
    const guest = this.of(ends.sessionId)
    guest?.event(message, ends)
    return guest !== undefined
  }

  clear(): void {
    this.#answers.clear()
    this.#bySession.clear()
  }
}
