import { createHash } from 'node:crypto'

/** Before the keys of all bodies. */
export const BODIES_FOLDER = 'bodies/'

const KEY = /^bodies\/([0-9a-f]{32})\/[0-9a-f]{64}-[0-9a-f]{12}$/

/** Hides who it is from whoever lists the bucket. Store.findBodyOwners knows the form. */
const ownerHash = (owner: string): string => createHash('sha256').update(owner).digest('hex').slice(0, 32)

/** Where the bytes of a body are stored. `once`: 12 hex digits, so that no key is ever used again. */
export const bodyKey = (owner: string, sha256: string, once: string): string =>
  `${BODIES_FOLDER}${ownerHash(owner)}/${sha256}-${once}`

/** Null: it is no key of a body. */
export const ownerHashOf = (key: string): string | null => KEY.exec(key)?.[1] ?? null
