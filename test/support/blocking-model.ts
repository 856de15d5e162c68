import { once } from 'node:events'
import type { ChatModel } from '../../src/ports/tasks/chat-model.ts'

/** Works until it is stopped: a task that ends only by being canceled. */
export const blockingModel: ChatModel = {
  name: 'patient',
  isPriced: false,
  converse: () => ({
    next: async (_, signal) => {
      if (!signal.aborted) await once(signal, 'abort')
      throw signal.reason
    },
  }),
}
