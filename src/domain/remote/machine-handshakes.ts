import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { MachineAddress, MachineHandshake } from '../../ports/machines/machine-link.ts'
import type { MachineSecret } from './machine-secret.ts'

/**
 * How two machines prove to each other, before a connection is opened, that both have the secret:
 *
 *     caller  → machine   its nonce, and whom it wants to reach
 *     machine → caller    a challenge, with a code over both
 *     caller  → machine   the challenge, with another code over both
 *
 * A challenge is valid once, for a limited time. The machine keeps only used ones, so requests for challenges cost no
 * memory.
 */

/** Longer than a process that is suspended for a moment needs. */
const CHALLENGE_MS = 120_000
/** Connections that can be opened within that time. */
const MAX_USED = 100_000

const NONCE_BYTES = 16

const challengeContext = ({ machineId, epoch }: MachineAddress) => `challenge ${machineId} ${epoch}`
const connectContext = ({ machineId, epoch }: MachineAddress) => `connect ${machineId} ${epoch}`

/** The caller's side. */
export function dialingHandshake(secret: MachineSecret, to: MachineAddress): MachineHandshake {
  const nonce = randomBytes(NONCE_BYTES).toString('base64url')
  return {
    query: { machine: to.machineId, epoch: String(to.epoch), nonce },
    authorize: (response) => {
      const { challenge, code } = (response ?? {}) as { challenge?: unknown; code?: unknown }
      if (typeof challenge !== 'string' || typeof code !== 'string') return null
      const both = `${nonce} ${challenge}`
      if (!secret.verify(challengeContext(to), both, code)) return null
      return `${nonce} ${challenge} ${secret.sign(connectContext(to), both)}`
    },
  }
}

/** The machine's side. */
export class AnsweringHandshakes {
  readonly #secret: MachineSecret
  readonly #key = randomBytes(32)
  /** By when they were made. */
  readonly #used = new Map<string, number>()

  constructor(secret: MachineSecret) {
    this.#secret = secret
  }

  /** The response to the first request. Null: it is meant for another machine. */
  challenge(own: MachineAddress, query: URLSearchParams): { challenge: string; code: string } | null {
    const isMeant = query.get('machine') === own.machineId && query.get('epoch') === String(own.epoch)
    const nonce = query.get('nonce') ?? ''
    if (!isMeant || !/^[\w-]{22}$/.test(nonce)) return null
    const made = `${Math.round(performance.now())}.${randomBytes(NONCE_BYTES).toString('base64url')}`
    const challenge = `${made}.${this.#codeOf(made).toString('base64url')}`
    return { challenge, code: this.#secret.sign(challengeContext(own), `${nonce} ${challenge}`) }
  }

  /** Whether the credentials of a connection are valid. Those that are, are not valid again. */
  admit(own: MachineAddress, credentials: string): boolean {
    const [nonce = '', challenge = '', code = '', ...rest] = credentials.split(' ')
    if (rest.length > 0 || !this.#secret.verify(connectContext(own), `${nonce} ${challenge}`, code)) return false
    const [time = '', random = '', itsCode = ''] = challenge.split('.')
    const given = Buffer.from(itsCode, 'base64url')
    const expected = this.#codeOf(`${time}.${random}`)
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return false
    const madeAt = Number(time)
    const now = performance.now()
    for (const [used, at] of this.#used) {
      if (at >= now - CHALLENGE_MS) break
      this.#used.delete(used)
    }
    if (madeAt < now - CHALLENGE_MS || this.#used.has(challenge) || this.#used.size >= MAX_USED) return false
    this.#used.set(challenge, now)
    return true
  }

  #codeOf(made: string): Buffer {
    return createHmac('sha256', this.#key).update(made).digest()
  }
}
