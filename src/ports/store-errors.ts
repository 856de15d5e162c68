/** Thrown by `append` when the database refused the batch for its data (SQLSTATE class 22): retrying cannot help. */
export class UnstorableBatch extends Error {
  constructor(cause: unknown) {
    super('the store refused the data of a batch', { cause })
    this.name = 'UnstorableBatch'
  }
}

/** Thrown by any call when the database cannot be reached or is shutting down: retrying may help. */
export class StoreUnavailable extends Error {
  /** `message`: one for people, without names, addresses or passwords. */
  constructor(cause: unknown, message = 'the database cannot be reached') {
    super(message, { cause })
    this.name = new.target.name
  }
}

/** There is no room for what was to be written. Reading still works, and writing does once there is room again. */
export class StoreFull extends StoreUnavailable {
  constructor(cause: unknown) {
    super(cause, 'the disk of the database is full')
  }
}
