/** Cookies, local storage and IndexedDB of a session under a name: its row. */
export interface ProfileRecord {
  /** UUID version 7. */
  id: string
  owner: string
  name: string
  /** Encrypted: what the domain sealed, opaque to the store. */
  sealed: Uint8Array
  /** Of what is sealed, before it was. */
  sizeBytes: number
  /** Milliseconds since the epoch. */
  createdAt: number
  updatedAt: number
}

/** A profile without what is sealed in it. */
export type ProfileDescription = Omit<ProfileRecord, 'sealed'>
