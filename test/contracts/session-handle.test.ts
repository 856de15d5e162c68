import { describe } from 'vitest'
import { InProcessBus } from '../../src/adapters/bus/in-process.ts'
import type { LocalSessionHandle } from '../../src/domain/local/local-session-handle.ts'
import { StartingSessionHandle } from '../../src/domain/remote/starting-session-handle.ts'
import { loopbackHandle } from '../support/handle-loopback.ts'
import { useLiveSessions } from '../support/live-sessions.ts'
import { store, useStore } from '../support/session-log.ts'
import { describeSessionHandle } from './session-handle.contract.ts'

useStore()
const live = useLiveSessions()

describe('the handle of a session of this process', () => {
  describeSessionHandle(live, (handle) => handle)
})

describe('the handle of a session that was waiting when it was found', () => {
  describeSessionHandle(live, (handle) => {
    const record = (handle as LocalSessionHandle).session.snapshot()
    return new StartingSessionHandle(record, {
      store,
      bus: new InProcessBus(),
      handleOf: async () => handle,
      saveUpload: (_, ...upload) => handle.saveUpload(...upload),
    })
  })
})

describe('a handle that is reached by bytes alone', () => {
  describeSessionHandle(live, loopbackHandle)
})
