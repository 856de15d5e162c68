import { TabwireError } from '../kernel/errors.ts'

/** A lost machine is noticed within about this time; NATS is connected again sooner. */
const RETRY_AFTER_SECONDS = 5

/** The machine of the session cannot be reached. What was asked of it may or may not have been done. */
export class MachineUnreachable extends TabwireError {
  override readonly code = 'MACHINE_UNREACHABLE'

  constructor(reason: string) {
    super(
      `The session runs on another server, which cannot be reached (${reason}). Try again in ${RETRY_AFTER_SECONDS} s.`,
      {
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      },
    )
  }
}
