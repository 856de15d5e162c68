import { createHash, randomBytes, randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import { SCOPES, type ApiKeyRecord, type Scope, type Store } from '../ports/store.ts'
import { BadUserInput, NotFound, type InputIssue } from './errors.ts'
import { ResponseTooLarge } from './operation-reads.ts'
import { Forbidden, type Principal } from './principal.ts'

export interface CreateApiKeyInput {
  name: string
  /** Null: the caller's own. */
  owner?: string | null
  scopes: readonly Scope[]
  expiresAt?: Date | null
}

export interface CreatedApiKey {
  record: ApiKeyRecord
  /** Shown once: only its hash is kept. */
  secret: string
}

/** The rules in words, once, for the schema's descriptions. */
export const API_KEY_INPUT_RULES = {
  name: '1 to 100 characters, none of them a control character.',
  owner: '1 to 100 letters, digits and . _ @ + - characters.',
  scopes: 'At least one.',
  expiresAt: 'In the future.',
} as const

/** Keys that one list shows. */
const MOST_LISTED = 10_000

/** The owner of the first key, the one of TABWIRE_API_KEY or `<data dir>/api-key`. */
export const FIRST_OWNER = 'admin'
const firstKeyName = (machineId: string) => `First admin key of ${machineId}`

/** How long a key found valid is taken for valid without asking the store again. */
const CACHE_MS = 5000
/** Keys in use are looked up this often, in case another process (the command line) revoked one. */
const RECHECK_MS = 10_000
const TOUCH_EVERY_MS = 60_000
const LATEST_TIME_MS = Date.UTC(9999, 11, 31)
const MAX_CACHED = 10_000
/** setTimeout cannot wait longer than 2^31 - 1 ms. */
const MAX_TIMER_MS = 2_147_483_647

interface Watch {
  principal: Principal
  listener: () => void
  expiry: NodeJS.Timeout | null
}

/** Keys: made, shown once, kept as hashes, checked, revoked. */
export class ApiKeys {
  readonly #store: Store
  readonly #logger: Logger
  readonly #cache = new Map<string, { record: ApiKeyRecord; at: number }>()
  readonly #touchedAt = new Map<string, number>()
  readonly #watches = new Set<Watch>()
  #recheck: NodeJS.Timeout | null = null
  #revocations = 0

  constructor(store: Store, logger: Logger) {
    this.#store = store
    this.#logger = logger
  }

  /** Who the secret belongs to; null when it is unknown, revoked or expired. */
  async authenticate(secret: string): Promise<Principal | null> {
    const hash = hashSecret(secret)
    const cached = this.#cache.get(hash)
    const isFresh = cached && Date.now() - cached.at < CACHE_MS
    const revocations = this.#revocations
    const record = isFresh ? cached.record : await this.#store.findApiKeyByHash(hash)
    if (!record || !isValid(record)) {
      this.#cache.delete(hash)
      return null
    }
    // What was read before a revocation says nothing after it.
    if (!isFresh && revocations === this.#revocations) {
      if (this.#cache.size >= MAX_CACHED) this.#cache.clear()
      this.#cache.set(hash, { record, at: Date.now() })
    }
    this.#touch(record.id)
    const { owner, scopes, id, expiresAt } = record
    return { owner, scopes: new Set(scopes), apiKeyId: id, expiresAt, sessionId: null }
  }

  /** A new key. Only ADMIN may name another owner, and nobody gives away a scope that the own key lacks. */
  async create(principal: Principal, input: CreateApiKeyInput): Promise<CreatedApiKey> {
    const owner = input.owner ?? principal.owner
    if (owner !== principal.owner && !principal.scopes.has('ADMIN')) {
      throw new Forbidden('Only a key with the scope ADMIN may create keys for another owner.')
    }
    const lacking = input.scopes.filter((scope) => !principal.scopes.has(scope))
    if (lacking.length > 0) {
      throw new Forbidden(`A key cannot give a scope that it lacks itself: ${lacking.join(', ')}.`)
    }
    return this.createFor(owner, input)
  }

  /** A new key for anyone: for the command line and for signing in, which are already trusted. */
  async createFor(owner: string, input: Omit<CreateApiKeyInput, 'owner'>): Promise<CreatedApiKey> {
    checkInput(owner, input)
    const secret = `tw_${randomBytes(32).toString('base64url')}`
    const record = newRecord(owner, input.name, secret, input.scopes, input.expiresAt?.getTime() ?? null)
    await this.#store.insertApiKey(record)
    return { record, secret }
  }

  /**
   * Makes sure that this machine's first admin key is there, and that an earlier one of its is valid no more. Returns
   * false when the key has been revoked: whoever did that meant it, so it is not brought back.
   */
  async ensureFirstKey(machineId: string, secret: string): Promise<boolean> {
    const hash = hashSecret(secret)
    const name = firstKeyName(machineId)
    const kept = await this.#store.findApiKeyByHash(hash)
    if (kept && !isValid(kept)) return false
    for (const key of await this.#store.listApiKeys(FIRST_OWNER)) {
      if (key.name === name && key.secretHash !== hash && key.revokedAt === null) {
        await this.#store.revokeApiKey(key.id, Date.now())
      }
    }
    if (!kept) await this.#store.insertApiKey(newRecord(FIRST_OWNER, name, secret, SCOPES, null))
    return true
  }

  /** Oldest first, revoked and expired ones too. Null: of every owner. Throws ResponseTooLarge where there are too many. */
  async list(owner: string | null): Promise<ApiKeyRecord[]> {
    const keys = await this.#store.listApiKeys(owner, MOST_LISTED + 1)
    if (keys.length > MOST_LISTED) throw new ResponseTooLarge()
    return keys
  }

  async find(owner: string, id: string): Promise<ApiKeyRecord | null> {
    const record = await this.#store.findApiKey(id)
    return record?.owner === owner ? record : null
  }

  /** Revokes a key of the caller's; with ADMIN of anyone's. Revoking twice keeps the first time. */
  async revoke(principal: Principal, id: string): Promise<ApiKeyRecord> {
    const record = await this.#store.findApiKey(id)
    const isTheirs = record && (record.owner === principal.owner || principal.scopes.has('ADMIN'))
    const revoked = isTheirs ? await this.#store.revokeApiKey(id, Date.now()) : null
    if (!revoked) throw new NotFound('API key')
    this.#revocations += 1
    this.#cache.delete(revoked.secretHash)
    this.#dismiss((watch) => watch.principal.apiKeyId === id)
    return revoked
  }

  /** Calls back once when the principal's key is revoked or expires, so that what it opened can be closed. */
  onInvalid(principal: Principal, listener: () => void): () => void {
    const watch: Watch = { principal, listener, expiry: null }
    this.#watches.add(watch)
    this.#awaitExpiry(watch)
    this.#recheck ??= setInterval(() => void this.#recheckKeys(), RECHECK_MS).unref()
    return () => {
      if (watch.expiry) clearTimeout(watch.expiry)
      this.#watches.delete(watch)
      if (this.#watches.size === 0) this.close()
    }
  }

  /** Frees the timer; keys can still be used. */
  close(): void {
    if (this.#recheck) clearInterval(this.#recheck)
    this.#recheck = null
  }

  #awaitExpiry(watch: Watch): void {
    const { expiresAt } = watch.principal
    if (expiresAt === null) return
    const leftMs = expiresAt - Date.now()
    const onTime = () => (leftMs > MAX_TIMER_MS ? this.#awaitExpiry(watch) : this.#dismiss((other) => other === watch))
    watch.expiry = setTimeout(onTime, Math.min(MAX_TIMER_MS, Math.max(0, leftMs))).unref()
  }

  #dismiss(isConcerned: (watch: Watch) => boolean): void {
    for (const watch of [...this.#watches].filter(isConcerned)) {
      if (watch.expiry) clearTimeout(watch.expiry)
      this.#watches.delete(watch)
      watch.listener()
    }
  }

  async #recheckKeys(): Promise<void> {
    try {
      for (const id of new Set([...this.#watches].map((watch) => watch.principal.apiKeyId))) {
        const record = await this.#store.findApiKey(id)
        if (!record || !isValid(record)) this.#dismiss((watch) => watch.principal.apiKeyId === id)
      }
    } catch (error) {
      this.#logger.warn({ err: error }, 'the keys in use could not be checked; they will be checked again')
    }
  }

  #touch(id: string): void {
    const now = Date.now()
    if (now - (this.#touchedAt.get(id) ?? 0) < TOUCH_EVERY_MS) return
    if (this.#touchedAt.size >= MAX_CACHED) this.#touchedAt.clear()
    this.#touchedAt.set(id, now)
    this.#store.touchApiKey(id, now).catch((error: unknown) => {
      this.#logger.warn({ err: error }, 'the last use of a key could not be noted')
    })
  }
}

export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

function isValid(record: ApiKeyRecord): boolean {
  return record.revokedAt === null && (record.expiresAt === null || record.expiresAt > Date.now())
}

function newRecord(
  owner: string,
  name: string,
  secret: string,
  scopes: readonly Scope[],
  expiresAt: number | null,
): ApiKeyRecord {
  const ordered = SCOPES.filter((scope) => scopes.includes(scope))
  const times = { createdAt: Date.now(), lastUsedAt: null, expiresAt, revokedAt: null }
  return { id: randomUUID(), owner, name, secretHash: hashSecret(secret), scopes: ordered, ...times }
}

function checkInput(owner: string, input: Omit<CreateApiKeyInput, 'owner'>): void {
  const issues: InputIssue[] = []
  const refuse = (member: string, code: string, message: string) =>
    issues.push({ path: ['input', member], code, message })
  const { name, scopes, expiresAt } = input
  if (name.length === 0 || name.length > 100 || /\p{Cc}/u.test(name) || !name.isWellFormed()) {
    refuse('name', 'INVALID_FORMAT', 'must have 1 to 100 characters, none of them a control character')
  }
  if (!/^[\w.@+-]{1,100}$/.test(owner)) {
    refuse('owner', 'INVALID_FORMAT', 'must have 1 to 100 letters, digits and . _ @ + - characters')
  }
  if (scopes.length === 0) refuse('scopes', 'REQUIRED', 'must name at least one scope')
  if (expiresAt != null && !(expiresAt.getTime() > Date.now() && expiresAt.getTime() <= LATEST_TIME_MS)) {
    refuse('expiresAt', 'OUT_OF_RANGE', 'must be in the future, and in the years until 9999')
  }
  if (issues.length > 0) throw new BadUserInput(issues)
}
