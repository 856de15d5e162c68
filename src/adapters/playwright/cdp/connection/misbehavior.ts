import type { Logger } from '../../../../logger.ts'

/** Reports the first protocol violation of a browser, whose session then has to end. */
export class Misbehavior {
  readonly #first = Promise.withResolvers<string>()
  readonly #logger: Logger
  #isReported = false

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** Resolves with the first violation, as a sentence. */
  get first(): Promise<string> {
    return this.#first.promise
  }

  report(why: string): void {
    if (this.#isReported) return
    this.#isReported = true
    this.#logger.warn({ why }, 'a browser misbehaves')
    this.#first.resolve(why)
  }
}
