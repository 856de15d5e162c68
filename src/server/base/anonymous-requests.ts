import { AllowancesByAddress, type Rate } from '../../domain/kernel/allowance.ts'
import { TabwireError } from '../../domain/kernel/errors.ts'

/** Operations without a valid key that an address may send. */
const ANONYMOUS_REQUESTS: Rate = { burst: 500, perSecond: 50 }

const ADDRESSES = 10_000

export class TooManyAnonymousRequests extends TabwireError {
  override readonly code = 'RATE_LIMITED'
  readonly retryAfterSeconds: number

  constructor({ perSecond }: Rate, retryAfterSeconds: number) {
    super(
      `Too many requests without a valid API key from this address (limit: ${perSecond} per second). Retry in ${retryAfterSeconds} s.`,
      { retryAfterSeconds },
    )
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** Counts requests without a valid key. Requests with a valid key are neither counted nor delayed. */
export class AnonymousRequests {
  readonly #rate: Rate
  readonly #byAddress: AllowancesByAddress

  constructor(rate: Rate = ANONYMOUS_REQUESTS) {
    this.#rate = rate
    this.#byAddress = new AllowancesByAddress(rate, ADDRESSES)
  }

  /** Throws TooManyAnonymousRequests. */
  count(address: string): void {
    const own = this.#byAddress.of(address)
    if (!own.take()) throw new TooManyAnonymousRequests(this.#rate, own.retryAfterSeconds)
  }
}
