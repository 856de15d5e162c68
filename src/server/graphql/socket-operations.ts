import { setMaxListeners } from 'node:events'
import type { MemoryBudget, MemoryHolder } from '../../domain/kernel/memory-budget.ts'
import { sizeOfRequest } from './graphql.ts'

interface Running {
  readonly id: string
  /** What is kept of its request. */
  readonly bytes: number
  readonly leaving: AbortController
  isEnding: boolean
}

/** The operations of one socket by payload: a client may reuse an id before the earlier operation is over. */
export class SocketOperations implements MemoryHolder {
  readonly #memory: MemoryBudget
  readonly #isTooMuch: (bytes: number) => void
  readonly #running = new Map<object, Running>()
  #heldBytes = 0

  /** `isTooMuch`: the requests of all sockets take too much memory, and those of this one the most: it is to be closed. */
  constructor(memory: MemoryBudget, isTooMuch: (bytes: number) => void) {
    this.#memory = memory
    this.#isTooMuch = isTooMuch
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  closeForMemory(): void {
    this.#isTooMuch(this.#heldBytes)
  }

  /** `left`: aborted when its result is not wanted any more. `ending`: to be called after its last result. */
  begin(id: string, payload: object): { left: AbortSignal; ending: () => void } {
    const leaving = new AbortController()
    // Each of its reads may add an abort listener.
    setMaxListeners(0, leaving.signal)
    const operation = { id, bytes: id.length + sizeOfRequest(payload), leaving, isEnding: false }
    this.#running.set(payload, operation)
    this.#heldBytes += operation.bytes
    this.#memory.note(this)
    return { left: leaving.signal, ending: () => (operation.isEnding = true) }
  }

  /** Its result was sent, or the client no longer waits for it. */
  end(payload: object): void {
    const operation = this.#running.get(payload)
    if (!operation) return
    operation.leaving.abort()
    this.#running.delete(payload)
    this.#heldBytes -= operation.bytes
  }

  giveUp(id: string): void {
    for (const operation of this.#running.values()) {
      if (operation.id === id) operation.leaving.abort()
    }
  }

  /** Whether the last result of one was given, but may not have been sent. */
  get isEnding(): boolean {
    return [...this.#running.values()].some(({ isEnding }) => isEnding)
  }

  /** The socket is closed. */
  close(): void {
    for (const { leaving } of this.#running.values()) leaving.abort()
    this.#running.clear()
    this.#heldBytes = 0
    this.#memory.forget(this)
  }
}
