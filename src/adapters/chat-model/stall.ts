import { ModelStalled } from './vendor-errors.ts'

/** Milliseconds. */
export interface StallTiming {
  /** Until an answer begins; models that reason say nothing for long. */
  firstPart: number
  /** Between two parts of it. */
  nextPart: number
}

/** UTF-16 code units of one answer: more is a model that finds no end. */
const LONGEST_ANSWER = 400_000

/** Fires when a model says nothing for too long, or speaks without an end. */
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

  /** A part of the answer, of so many characters; 0 is none yet. */
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
