import { setTimeout as pause } from 'node:timers/promises'
import { eventually } from './eventually.ts'
import { BOTH, type Fault } from './fault.ts'
import { RECOVERY_MS, type Stage } from './stage.ts'

/** Long enough for a flood to fill all queues. */
const FLOOD_MS = 5_000

const ofBrowser = { on: BOTH, sparesNeighbor: true, isShort: false }

async function expectEnd(stage: Stage, id: string, reasons: readonly string[]): Promise<void> {
  const { status, endReason } = await stage.ended(id)
  if (!reasons.includes(endReason ?? ''))
    throw new Error(`the session is ${status} (${endReason}), not ${reasons.join(' or ')}`)
}

/** A page that floods for a while, and ends during the flood. */
const flood = (name: string, path: string, isShort = false): Fault => ({
  ...ofBrowser,
  isShort,
  name,
  async run(stage) {
    const { id } = await stage.victim(path)
    await pause(FLOOD_MS)
    if (!(await stage.server.isHealthy())) throw new Error('/health does not answer')
    await stage.terminate(id)
  },
})

/** Chromium is slow to send such a message. */
const HUGE_MS = 180_000

const hugeStack = (name: string, path: string): Fault => ({
  ...ofBrowser,
  name,
  async run(stage) {
    const { id } = await stage.victim(path)
    await eventually('the page is done, or ended', HUGE_MS, async () => {
      const { title, status } = await stage.state(id)
      return title === 'done' || status !== 'RUNNING'
    })
  },
})

export const BROWSER_FAULTS: readonly Fault[] = [
  {
    ...ofBrowser,
    isShort: true,
    name: 'browser: kill -9',
    async run(stage) {
      const { id, browser, witness } = await stage.victim('/ticks')
      await eventually('the page is heard', RECOVERY_MS, async () => witness.seenCount > 10)
      process.kill(browser, 'SIGKILL')
      await expectEnd(stage, id, ['BROWSER_CRASHED'])
    },
  },
  {
    ...ofBrowser,
    isShort: true,
    name: 'browser: SIGSTOP, then terminateSession',
    async run(stage) {
      const { id, browser } = await stage.victim('/console-flood')
      process.kill(browser, 'SIGSTOP')
      await stage.terminate(id)
      await eventually(
        'its browser is gone',
        RECOVERY_MS,
        async () => !(await stage.server.browsers()).includes(browser),
      )
    },
  },
  {
    ...ofBrowser,
    name: 'browser: SIGSTOP for 3 s',
    async run(stage) {
      const { id, browser, witness } = await stage.victim('/ticks')
      process.kill(browser, 'SIGSTOP')
      await pause(3_000)
      process.kill(browser, 'SIGCONT')
      const seen = witness.seenCount
      await eventually('the page is heard again', RECOVERY_MS, async () => witness.seenCount > seen + 10)
      const { status } = await stage.state(id)
      if (status !== 'RUNNING') throw new Error(`the session is ${status}`)
    },
  },
  {
    ...ofBrowser,
    name: 'renderer: kill -9',
    async run(stage) {
      const { id, browser, witness } = await stage.victim('/ticks')
      for (const renderer of await stage.server.renderersOf(browser)) process.kill(renderer, 'SIGKILL')
      await eventually('the crash is recorded', RECOVERY_MS, async () =>
        (await witness.history()).some(({ __typename }) => __typename === 'PageCrashed'),
      )
      const { status } = await stage.state(id)
      if (status !== 'RUNNING') throw new Error(`the session is ${status}`)
    },
  },
  {
    ...ofBrowser,
    name: 'renderer: SIGSTOP, then terminateSession',
    async run(stage) {
      const { id, browser } = await stage.victim('/ticks')
      for (const renderer of await stage.server.renderersOf(browser)) process.kill(renderer, 'SIGSTOP')
      await stage.terminate(id)
    },
  },
  {
    ...ofBrowser,
    name: 'page: while (true)',
    async run(stage) {
      const { id } = await stage.victim('/spin')
      await pause(1_000)
      await stage.terminate(id)
    },
  },
  { ...hugeStack('page: a line with a stack of 300 MB', '/huge-stack'), isShort: true },
  hugeStack('page: a line with a stack of 590 MB', '/huger-stack'),
  flood('page: lines of 8 MB without end', '/huge-lines'),
  flood('page: console.log without end', '/console-flood', true),
  flood('page: history.pushState without end', '/history-flood'),
  flood('page: fetch without end', '/fetch-flood'),
  flood('page: streams without end', '/stream-flood'),
  flood('page: frames without end', '/popup-flood'),
]
