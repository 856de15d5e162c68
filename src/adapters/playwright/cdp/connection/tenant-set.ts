import { readEnds, readId } from '../pipe/message-text.ts'
import { ownedAnswer, ownedTenant, type Tenant, type TenantResponse } from './tenant.ts'

/** Tenants of one pipe, which drive CDP sessions of their own, and their pending responses. */
export class TenantSet {
  readonly #bySession = new Map<string, Tenant>()
  readonly #answers = new Map<number, TenantResponse>()

  host(sessionId: string, tenant: Tenant): void {
    this.#bySession.set(sessionId, ownedTenant(tenant))
  }

  unhost(sessionId: string): void {
    this.#bySession.delete(sessionId)
  }

  /** Owner of the session; undefined: it belongs to no tenant. */
  of(sessionId: string | null): Tenant | undefined {
    return sessionId === null ? undefined : this.#bySession.get(sessionId)
  }

  /** Returns a function that discards the response. */
  expect(id: number, answer: TenantResponse): () => void {
    this.#answers.set(id, ownedAnswer(answer))
    return () => this.#answers.delete(id)
  }

  /** The receiver of the response, which is delivered once. */
  takeAnswer(id: number): TenantResponse | undefined {
    const answer = this.#answers.get(id)
    this.#answers.delete(id)
    return answer
  }

  /** Whether a message with this beginning is, or may be, a tenant's. */
  mayBeRelayed(head: Buffer): boolean {
    const { id } = readId(head)
    return id === null ? this.#bySession.size > 0 : this.#answers.has(id)
  }

  /** Whether the message is a tenant's. */
  handOver(message: Buffer): boolean {
    if (this.#bySession.size === 0 && this.#answers.size === 0) return false
    const ends = readEnds(message)
    if (ends.id !== null) {
      const answer = this.takeAnswer(ends.id)
      answer?.answered(message, ends)
      return answer !== undefined
    }
    const tenant = this.of(ends.sessionId)
    tenant?.event(message, ends)
    return tenant !== undefined
  }

  clear(): void {
    this.#answers.clear()
    this.#bySession.clear()
  }
}
