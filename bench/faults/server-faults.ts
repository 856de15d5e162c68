import { setTimeout as pause } from 'node:timers/promises'
import { eventually } from './eventually.ts'
import { BOTH, type Fault } from './fault.ts'
import { RECOVERY_MS, type Stage } from './stage.ts'

const ofServer = { on: BOTH, sparesNeighbor: false, isShort: false }
const STOPPED_MS = 4_000

/** After a crash: its sessions end at the next start, with everything that a subscriber had received. */
async function expectLog(stage: Stage, id: string, reason: string): Promise<void> {
  const { status, endReason } = await stage.ended(id)
  if (endReason !== reason) throw new Error(`a session is ${status} (${endReason}), not ${reason}`)
}

async function startAgain(stage: Stage): Promise<void> {
  await stage.server.start()
  const { lost, disorder } = await stage.replaceNeighbor()
  if (lost + disorder > 0) throw new Error(`the neighbor’s log: ${lost} entries lost, ${disorder} out of order`)
}

export const SERVER_FAULTS: readonly Fault[] = [
  {
    ...ofServer,
    isShort: true,
    name: 'server: kill -9, then a new start',
    async run(stage) {
      const { id, witness } = await stage.victim('/ticks')
      await stage.victim('/console-flood')
      await eventually('the page is heard', RECOVERY_MS, async () => witness.seenCount > 10)
      await stage.server.kill('SIGKILL')
      await eventually('its browsers are gone', RECOVERY_MS, async () => (await stage.server.browsers()).length === 0)
      await startAgain(stage)
      await expectLog(stage, id, 'MACHINE_LOST')
    },
  },
  {
    ...ofServer,
    name: 'server: SIGSTOP for 4 s',
    async run(stage) {
      const { id } = await stage.victim('/ticks')
      stage.server.signal('SIGSTOP')
      await pause(STOPPED_MS)
      stage.server.signal('SIGCONT')
      await eventually('it answers again', RECOVERY_MS, () => stage.server.isHealthy())
      const { status } = await stage.state(id)
      if (status !== 'RUNNING') throw new Error(`a session is ${status}`)
    },
  },
  {
    ...ofServer,
    isShort: true,
    name: 'server: SIGTERM under load with recordings, then a new start',
    async run(stage) {
      const { id } = await stage.victim('/console-flood', { record: ['VIDEO', 'TRACE', 'HAR'] })
      await stage.victim('/ticks', { record: ['TRACE'] })
      await stage.victim('/fetch-flood')
      const { code, signal } = await stage.server.kill('SIGTERM')
      if (code !== 0) throw new Error(`it ended with ${code ?? signal}, not 0`)
      if ((await stage.server.browsers()).length > 0) throw new Error('it left browsers behind')
      if (stage.server.browserFolders() > 0) throw new Error('it left folders behind')
      await startAgain(stage)
      await expectLog(stage, id, 'SERVER_SHUTDOWN')
    },
  },
]
