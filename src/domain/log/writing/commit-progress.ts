interface Counts {
  entries: number
  patches: number
}

/** How much of a log has been requested and how much is committed, with the callers that wait for the difference. */
export class CommitProgress {
  readonly #requested: Counts = { entries: 0, patches: 0 }
  readonly #done: Counts = { entries: 0, patches: 0 }
  #waiting: { goal: Counts; resolve: () => void }[] = []
  #isOver = false

  get requestedPatches(): number {
    return this.#requested.patches
  }

  get isAwaited(): boolean {
    return this.#waiting.length > 0
  }

  entryRequested(): void {
    this.#requested.entries += 1
  }

  patchRequested(): void {
    this.#requested.patches += 1
  }

  entriesCommitted(count: number): void {
    this.#done.entries += count
  }

  /** Patches merge: committing one commits all that were requested before it was taken. */
  patchesCommitted(upTo: number): void {
    this.#done.patches = upTo
    this.#resolveReached()
  }

  /** Nothing more will be committed: releases all waiting callers. */
  giveUp(): void {
    this.#isOver = true
    this.#resolveReached()
  }

  /** Resolves when everything requested so far is committed, regardless of later requests, or when it is given up. */
  reach(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.push({ goal: { ...this.#requested }, resolve })
    this.#resolveReached()
    return promise
  }

  #resolveReached(): void {
    if (this.#waiting.length === 0) return
    const { entries, patches } = this.#done
    const isReached = ({ goal }: { goal: Counts }) =>
      this.#isOver || (entries >= goal.entries && patches >= goal.patches)
    const reached = this.#waiting.filter(isReached)
    this.#waiting = this.#waiting.filter((waiter) => !isReached(waiter))
    for (const { resolve } of reached) resolve()
  }
}
