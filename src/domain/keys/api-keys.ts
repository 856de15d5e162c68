import { createHash, randomBytes, randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import { SCOPES, type Scope } from '../../ports/access/scope.ts'
import type { ApiKeyRecord } from '../../ports/access/api-key.ts'
import type { Store } from '../../ports/store/store.ts'
import { atTime } from '../kernel/at-time.ts'
import { NotFound } from '../kernel/errors.ts'
import { parseCreateApiKey, type CreateApiKeyInput } from './api-key-input.ts'
import { KEY_LOOKUP_LIMITS, KeyLookups, type KeyLookupLimits } from './key-lookups.ts'
import { isValid, KeyWatch } from './key-watch.ts'
import { ResponseTooLarge } from '../log/reading/operation-reads.ts'
import { Forbidden, type Principal } from '../kernel/principal.ts'

export interface CreatedApiKey {
  record: ApiKeyRecord
  /** Shown once: only its hash is stored. */
  secret: string
}

/** Max keys per list. */
const MAX_LISTED = 10_000

/** The owner of the first key: TABWIRE_API_KEY or `<data dir>/api-key`. */
export const FIRST_OWNER = 'admin'
const FIRST_KEY_NAME = 'First admin key of '
const firstKeyName = (machineId: string) => `${FIRST_KEY_NAME}${machineId}`

/** Format of every secret: generated ones, and TABWIRE_API_KEY. */
const SECRET = /^[\x21-\x7e]{16,256}$/
const TOUCH_EVERY_MS = 60_000
const MAX_CACHED = 10_000
/** Keys: created, shown once, stored as hashes, checked, revoked. */
export class ApiKeys {
  readonly #store: Store
  readonly #logger: Logger
  readonly #watch: KeyWatch
  readonly #lookups: KeyLookups
  /** Ids of keys by the hashes of their secrets. */
  readonly #ids = new Map<string, string>()
  readonly #touchedAt = new Map<string, number>()

  constructor(
    store: Store,
    logger: Logger,
    watch = new KeyWatch(store, logger),
    lookupLimits: KeyLookupLimits = KEY_LOOKUP_LIMITS,
  ) {
    this.#store = store
    this.#logger = logger
    this.#watch = watch
    this.#lookups = new KeyLookups((hash) => store.findApiKeyByHash(hash), isValid, lookupLimits)
  }

  /**
   * The owner of the secret; null if it is unknown, revoked or expired. Throws TooManyWrongKeys if its address has
   * tried too many.
   */
  async authenticate(secret: string, address: string | null = null): Promise<Principal | null> {
    if (!SECRET.test(secret)) return null
    const hash = hashSecret(secret)
    const id = this.#ids.get(hash)
    const known = id === undefined ? null : this.#watch.fresh(id)
    const record = known ?? (await this.#look(hash, address))
    if (!record) return null
    this.#touch(record.id)
    const { owner, scopes, id: apiKeyId, expiresAt } = record
    return { owner, actor: `key:${apiKeyId}`, scopes: new Set(scopes), apiKeyId, expiresAt, sessionId: null }
  }

  /** A new key, whose scopes and expiration are limited by the caller's own key. Only ADMIN may name another owner. */
  async create(principal: Principal, input: CreateApiKeyInput): Promise<CreatedApiKey> {
    const owner = input.owner ?? principal.owner
    if (owner !== principal.owner && !principal.scopes.has('ADMIN')) {
      throw new Forbidden('Only a key with the scope ADMIN may create keys for another owner.')
    }
    const lacking = lackingScopes(principal, input.scopes)
    if (lacking.length > 0) {
      throw new Forbidden(`A key cannot give a scope that it lacks itself: ${lacking.join(', ')}.`)
    }
    const latest = principal.expiresAt
    const expiresAt = input.expiresAt ?? (latest === null ? null : new Date(latest))
    return this.#insert(owner, { ...input, expiresAt }, latest)
  }

  /** A new key without these limits: for the command line, which is already trusted. */
  createFor(owner: string, input: Omit<CreateApiKeyInput, 'owner'>): Promise<CreatedApiKey> {
    return this.#insert(owner, input, null)
  }

  /** The same for signing in, with a given UUID, which can be used once on any server. Null: it was used before. */
  createOnce(id: string, owner: string, input: Omit<CreateApiKeyInput, 'owner'>): Promise<CreatedApiKey | null> {
    return this.#insertAs(id, owner, input, null)
  }

  /**
   * Ensures that this machine's first admin key exists, and that an earlier one of this machine is no longer valid.
   * Returns false if the key has been revoked: that was deliberate, so it is not restored.
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
    else if (isFirstKey(kept) && kept.scopes.length < SCOPES.length) {
      // It was created by a version with fewer scopes. Any other key keeps its scopes.
      await this.#store.setApiKeyScopes(kept.id, SCOPES)
    }
    this.#lookups.expect(hash)
    return true
  }

  /**
   * Oldest first, including revoked and expired ones. Null: of every owner. Throws ResponseTooLarge if there are too
   * many.
   */
  async list(owner: string | null): Promise<ApiKeyRecord[]> {
    const keys = await this.#store.listApiKeys(owner, MAX_LISTED + 1)
    if (keys.length > MAX_LISTED) throw new ResponseTooLarge()
    return keys
  }

  async find(owner: string, id: string): Promise<ApiKeyRecord | null> {
    const record = await this.#store.findApiKey(id)
    return record?.owner === owner ? record : null
  }

  /**
   * Revokes a key of the caller's owner whose scopes the caller's key has; with ADMIN any key of any owner. Revoking
   * again keeps the first time. Keys created with the revoked key stay valid.
   */
  async revoke(principal: Principal, id: string): Promise<ApiKeyRecord> {
    const isAdmin = principal.scopes.has('ADMIN')
    const record = await this.#store.findApiKey(id)
    if (!record || (record.owner !== principal.owner && !isAdmin)) throw new NotFound('API key')
    const lacking = isAdmin ? [] : lackingScopes(principal, record.scopes)
    if (lacking.length > 0) {
      throw new Forbidden(`Only a key with the scope ADMIN may revoke one with scopes it lacks: ${lacking.join(', ')}.`)
    }
    const revoked = await this.#store.revokeApiKey(id, Date.now())
    if (!revoked) throw new NotFound('API key')
    this.#watch.revoked(id)
    return revoked
  }

  /**
   * Calls back once when the principal's key is revoked or expires, so that everything opened with it can be closed.
   */
  onInvalid({ apiKeyId, expiresAt }: Principal, listener: () => void): () => void {
    let stopClock = () => {}
    const stop = () => {
      stopClock()
      unwatch()
    }
    const end = () => {
      stop()
      listener()
    }
    const unwatch = this.#watch.onInvalid(apiKeyId, end)
    if (expiresAt !== null) stopClock = atTime(expiresAt, end)
    return stop
  }

  /** Stops the timer; keys can still be used. */
  close(): void {
    this.#watch.close()
  }

  async #insert(owner: string, input: Omit<CreateApiKeyInput, 'owner'>, latest: number | null): Promise<CreatedApiKey> {
    const created = await this.#insertAs(randomUUID(), owner, input, latest)
    if (!created) throw new Error('a random UUID was taken')
    return created
  }

  async #insertAs(
    id: string,
    owner: string,
    input: Omit<CreateApiKeyInput, 'owner'>,
    latest: number | null,
  ): Promise<CreatedApiKey | null> {
    const { name, scopes, expiresAt } = parseCreateApiKey({ ...input, owner }, latest)
    const secret = `tw_${randomBytes(32).toString('base64url')}`
    const record = { ...newRecord(owner, name, secret, scopes, expiresAt?.getTime() ?? null), id }
    if (!(await this.#store.insertApiKey(record))) return null
    this.#lookups.expect(record.secretHash)
    return { record, secret }
  }

  /** The valid key whose secret has this hash; null: none. */
  async #look(hash: string, address: string | null): Promise<ApiKeyRecord | null> {
    const askedAt = performance.now()
    const record = await this.#lookups.find(hash, address)
    // A record read before a revocation is outdated.
    if (!record || !this.#watch.confirm(record, askedAt)) {
      this.#ids.delete(hash)
      return null
    }
    if (this.#ids.size >= MAX_CACHED) this.#ids.clear()
    this.#ids.set(hash, record.id)
    return record
  }

  #touch(id: string): void {
    const now = Date.now()
    if (now - (this.#touchedAt.get(id) ?? 0) < TOUCH_EVERY_MS) return
    if (this.#touchedAt.size >= MAX_CACHED) this.#touchedAt.clear()
    this.#touchedAt.set(id, now)
    this.#store.touchApiKey(id, now).catch((error: unknown) => {
      this.#logger.warn({ err: error }, 'the last use of a key could not be recorded')
    })
  }
}

export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

function lackingScopes(principal: Principal, scopes: readonly Scope[]): Scope[] {
  return scopes.filter((scope) => !principal.scopes.has(scope))
}

/** On any machine: a data directory may have been copied along with its key. */
function isFirstKey({ owner, name }: ApiKeyRecord): boolean {
  return owner === FIRST_OWNER && name.startsWith(FIRST_KEY_NAME)
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
