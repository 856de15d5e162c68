import { describe } from 'vitest'
import { loopbackHandle } from '../support/handle-loopback.ts'
import { useLiveSessions } from '../support/live-sessions.ts'
import { useStore } from '../support/session-log.ts'
import { describeSessionHandle } from './session-handle.contract.ts'

useStore()
const live = useLiveSessions()

describe('the handle of a session of this process', () => {
  describeSessionHandle(live, (handle) => handle)
})

describe('a handle that is reached by bytes alone', () => {
  describeSessionHandle(live, loopbackHandle)
})
