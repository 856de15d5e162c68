import type { VariablesOf } from 'gql.tada'
import type { DispatchInput } from '../api/operations.ts'

export type PageInput = VariablesOf<typeof DispatchInput>['events'][number]

const MAX_AT_ONCE = 100

/**
 * Sends mouse, touch and keyboard input to a page, in order, one call at a time. Input that arrives during a call is
 * queued, and of moves only the last: they arrive faster than they can be sent.
 */
export class InputQueue {
  readonly #send: (events: PageInput[]) => Promise<void>
  #waiting: PageInput[] = []
  #isSending = false

  constructor(send: (events: PageInput[]) => Promise<void>) {
    this.#send = send
  }

  push(event: PageInput): void {
    const last = this.#waiting.at(-1)
    const joined = last && joinedEvent(last, event)
    if (joined) this.#waiting[this.#waiting.length - 1] = joined
    else this.#waiting.push(event)
    void this.#run()
  }

  async #run(): Promise<void> {
    if (this.#isSending) return
    this.#isSending = true
    while (this.#waiting.length > 0) await this.#send(this.#waiting.splice(0, MAX_AT_ONCE))
    this.#isSending = false
  }
}

/** One event equivalent to both in a row; null if both are needed. */
function joinedEvent(first: PageInput, second: PageInput): PageInput | null {
  if ('mouse' in first && 'mouse' in second) {
    return first.mouse.type === 'MOVE' && second.mouse.type === 'MOVE' ? second : null
  }
  if ('touch' in first && 'touch' in second) {
    const isSame = first.touch.type === 'MOVE' && second.touch.type === 'MOVE' && fingersOf(first) === fingersOf(second)
    return isSame ? second : null
  }
  if ('wheel' in first && 'wheel' in second) {
    const deltaX = (first.wheel.deltaX ?? 0) + (second.wheel.deltaX ?? 0)
    const deltaY = (first.wheel.deltaY ?? 0) + (second.wheel.deltaY ?? 0)
    return { wheel: { ...second.wheel, deltaX, deltaY } }
  }
  return null
}

const fingersOf = ({ touch }: Extract<PageInput, { touch: unknown }>) => touch.points?.map(({ id }) => id).join()
