import { createHash } from 'node:crypto'

/** Prefix of the keys of all bodies. */
export const BODIES_FOLDER = 'bodies/'

const KEY = /^bodies\/([0-9a-f]{32})\/[0-9a-f]{64}-[0-9a-f]{12}$/

/** Hides the owner from anyone who lists the bucket. Store.findBodyOwners depends on the format. */
const ownerHash = (owner: string): string => createHash('sha256').update(owner).digest('hex').slice(0, 32)

/** The key of a body's bytes. `once`: 12 hex digits, so that no key is ever reused. */
export const bodyKey = (owner: string, sha256: string, once: string): string =>
  `${BODIES_FOLDER}${ownerHash(owner)}/${sha256}-${once}`

/** Null: not a key of a body. */
export const ownerHashOf = (key: string): string | null => KEY.exec(key)?.[1] ?? null
