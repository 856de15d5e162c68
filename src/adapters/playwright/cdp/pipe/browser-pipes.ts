import { FairTurns } from './fair-turns.ts'
import { MESSAGE_LIMITS, type MessageLimits } from './message-limits.ts'
import { UnfinishedMessages } from './unfinished-messages.ts'

/** Resources that the pipes of all browsers share: the event loop and memory. */
export interface BrowserPipes {
  turns: FairTurns
  unfinished: UnfinishedMessages
  limits: MessageLimits
}

export function createBrowserPipes(limits: MessageLimits = MESSAGE_LIMITS): BrowserPipes {
  return { turns: new FairTurns(), unfinished: new UnfinishedMessages(limits.unfinished), limits }
}
