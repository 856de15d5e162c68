import { afterAll, beforeAll, describe } from 'vitest'
import type { LocalSessionHandle } from '../../src/domain/local/local-session-handle.ts'
import type { SessionHandle } from '../../src/domain/sessions/session-handle.ts'
import { linkMachines, type LinkedMachines } from '../support/linked-machines.ts'
import { useLiveSessions } from '../support/live-sessions.ts'
import { startNats, type TestNats } from '../support/nats-server.ts'
import { useStore } from '../support/session-log.ts'
import { describeSessionHandle } from './session-handle.contract.ts'

useStore()
const live = useLiveSessions()

/** Those of the machine that is called. */
const handles = new Map<string, SessionHandle>()
const sessions = {
  handle: async (id: string) => handles.get(id) ?? null,
  ownHandles: (ids: readonly string[]) => ids.flatMap((id) => handles.get(id) ?? []),
}

let nats: TestNats
let machines: LinkedMachines
beforeAll(async () => {
  nats = await startNats()
  machines = await linkMachines(nats, sessions)
})
afterAll(async () => {
  await machines?.close()
  await nats?.close()
})

describe('the handle of a session of another machine', () => {
  describeSessionHandle(live, (handle) => {
    handles.set(handle.sessionId, handle)
    const { session } = handle as LocalSessionHandle
    const { machineId, epoch: machineEpoch } = machines.owner
    return machines.remote.handle({ ...session.snapshot(), machineId, machineEpoch })
  })
})
