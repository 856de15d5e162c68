/**
 * Thrown by `append` when the database rejected the batch because of its data (SQLSTATE class 22): a retry cannot help.
 */
export class UnstorableBatch extends Error {
  constructor(cause: unknown) {
    super('the store refused the data of a batch', { cause })
    this.name = 'UnstorableBatch'
  }
}

/** Thrown by any call when the database is unreachable or shutting down: a retry may help. */
export class StoreUnavailable extends Error {
  /** `message`: for people, without names, addresses or passwords. */
  constructor(cause: unknown, message = 'the database cannot be reached') {
    super(message, { cause })
    this.name = new.target.name
  }
}

/** There is no space for the write. Reads still work, and writes do once there is space again. */
export class StoreFull extends StoreUnavailable {
  constructor(cause: unknown) {
    super(cause, 'the disk of the database is full')
  }
}
