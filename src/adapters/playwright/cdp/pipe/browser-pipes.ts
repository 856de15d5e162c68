import { FairScheduler } from './fair-scheduler.ts'
import { MESSAGE_LIMITS, type MessageLimits } from './message-limits.ts'
import { UnfinishedMessages } from './unfinished-messages.ts'

/** Resources that the pipes of all browsers share: the event loop and memory. */
export interface BrowserPipes {
  scheduler: FairScheduler
  unfinished: UnfinishedMessages
  limits: MessageLimits
}

export function createBrowserPipes(limits: MessageLimits = MESSAGE_LIMITS): BrowserPipes {
  return { scheduler: new FairScheduler(), unfinished: new UnfinishedMessages(limits.unfinished), limits }
}
