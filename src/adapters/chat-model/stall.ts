import { ModelStalled } from './vendor-errors.ts'

/** Milliseconds. */
export interface StallTiming {
  /** Until a response begins; reasoning models are silent for long. */
  firstPart: number
  /** Between two chunks of it. */
  nextPart: number
}

/** UTF-16 code units of one response: more means that the model does not stop. */
const LONGEST_ANSWER = 400_000

/** Aborted when a model is silent for too long, or does not stop. */
export class Stall {
  readonly #timing: StallTiming
  readonly #abort = new AbortController()
  #timer: NodeJS.Timeout
  #size = 0

  constructor(timing: StallTiming) {
    this.#timing = timing
    this.#timer = this.#wait(timing.firstPart)
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** A chunk of the response with this many characters; 0: none yet. */
  saw(size: number): void {
    if (size === 0) return
    this.#size += size
    if (this.#size > LONGEST_ANSWER) this.#give('The model found no end to its answer.')
    clearTimeout(this.#timer)
    this.#timer = this.#wait(this.#timing.nextPart)
  }

  end(): void {
    clearTimeout(this.#timer)
  }

  #wait(ms: number): NodeJS.Timeout {
    return setTimeout(() => this.#give(`The model said nothing for ${Math.ceil(ms / 1000)} s.`), ms)
  }

  #give(message: string): void {
    this.#abort.abort(new ModelStalled(message))
  }
}
