import { once } from 'node:events'
import type { ChatModel } from '../../src/ports/chat-model.ts'

/** As it says, until it is told to stop: a task that only ends by being cancelled. */
export const patientModel: ChatModel = {
  name: 'patient',
  isPriced: false,
  converse: () => ({
    next: async (_, signal) => {
      if (!signal.aborted) await once(signal, 'abort')
      throw signal.reason
    },
  }),
}
