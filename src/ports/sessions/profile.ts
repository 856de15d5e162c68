/** The row of a profile: cookies, local storage and IndexedDB of a session under a name. */
export interface ProfileRecord {
  /** UUID version 7. */
  id: string
  owner: string
  name: string
  /** Encrypted by the domain, opaque to the store. */
  sealed: Uint8Array
  /** Size before encryption. */
  sizeBytes: number
  /** Milliseconds since the epoch. */
  createdAt: number
  updatedAt: number
}

/** A profile without its encrypted contents. */
export type ProfileDescription = Omit<ProfileRecord, 'sealed'>
