import { isDeepStrictEqual } from 'node:util'
import { eventually } from '../eventually.ts'
import type { Entry, Witness } from '../witness.ts'
import type { MachineCluster } from './machine-cluster.ts'
import { SETTLE_MS, tryAsk, type LoadedSession, type MachineLoad } from './machine-load.ts'

const STATE = `query ($id: ID!) { session(id: $id) { status endReason error machineId } }`
const ALIVE = `{ machines { id alive draining } }`
const HELLO = `mutation ($id: ID!) { runActions(sessionId: $id, actions: [{ evaluate: { expression: "6 * 7" } }]) { result } }`
const END = `mutation ($id: ID!) { terminateSession(id: $id) { status } }`

interface State {
  status: string
  endReason: string | null
  error: string | null
  machineId: string | null
}

/** What was found wrong in the logs. */
export interface Found {
  lost: number
  disorder: number
}

const expectThat = (isTrue: boolean, what: string) => {
  if (!isTrue) throw new Error(what)
}

/** Resolves once each machine is ready, and lists all of them as alive. */
export async function untilWhole({ machines }: MachineCluster): Promise<void> {
  for (const { server } of machines) {
    await eventually('each machine is ready', SETTLE_MS, () => server.isReady())
    await eventually('each machine sees all of them alive', SETTLE_MS, async () => {
      const seen = await tryAsk<{ machines: { alive: boolean; draining: boolean }[] }>(server, ALIVE, {})
      return seen?.machines.filter(({ alive, draining }) => alive && !draining).length === machines.length
    })
  }
}

/** The state that all machines agree on, once the session has begun or ended. */
async function settledState({ machines }: MachineCluster, id: string): Promise<State> {
  return await eventually('all machines agree on a session', SETTLE_MS, async () => {
    const states: (State | undefined)[] = []
    for (const { server } of machines) states.push((await tryAsk<{ session: State }>(server, STATE, { id }))?.session)
    const [first, ...others] = states
    const isSettled = first?.status !== 'CREATING' && others.every((state) => isDeepStrictEqual(state, first))
    return (isSettled && first) || null
  })
}

/**
 * Sessions of machines that were hit have ended as lost or continue, all others continue: they act for clients of each
 * machine, and are followed there. Then they are terminated.
 */
async function endSession(
  cluster: MachineCluster,
  load: MachineLoad,
  { id, witnesses }: LoadedSession,
  hit: ReadonlySet<string>,
): Promise<string> {
  const { status, endReason, error, machineId } = await settledState(cluster, id)
  // Too much else runs where a browser does not start in time.
  if (endReason === 'LAUNCH_FAILED' && /did not start within/.test(error ?? '')) return endReason
  if (status !== 'RUNNING') {
    expectThat(endReason === 'MACHINE_LOST', `a session is ${status} (${endReason})`)
    expectThat(hit.has(machineId ?? ''), 'a session of a machine that was not hit was lost')
    return 'MACHINE_LOST'
  }
  for (const { server } of cluster.machines) {
    await eventually('a session acts through each machine', SETTLE_MS, async () => {
      const said = await tryAsk<{ runActions: { result: unknown }[] }>(server, HELLO, { id })
      return said?.runActions[0]?.result === 42
    })
  }
  const seen = witnesses.map(({ seenCount }) => seenCount)
  await eventually('a session is followed on each machine', SETTLE_MS, async () =>
    witnesses.every(({ seenCount }, index) => seenCount > seen[index]!),
  )
  await eventually('a session is terminated', SETTLE_MS, () => tryAsk(load.any(), END, { id }))
  expectThat((await settledState(cluster, id)).endReason === 'TERMINATED', 'a terminated session ended otherwise')
  return 'TERMINATED'
}

/** Every follower has the whole log, which is the same on each machine, has one end, and is of one browser. */
async function judgeLog(cluster: MachineCluster, session: LoadedSession, endReason: string): Promise<Found> {
  const { key, witnesses, lines } = session
  const followed = Promise.all(witnesses.map(({ finished }) => finished)).then(() => true)
  await eventually('every follower has the end of the log', SETTLE_MS, () =>
    Promise.race([followed, new Promise<false>((resolve) => setTimeout(resolve, 200, false))]),
  )
  const found = { lost: 0, disorder: 0 }
  const logs: Entry[][] = []
  for (const witness of witnesses) {
    const log = await witness.history()
    const verdict = await witness.judge()
    logs.push(log)
    found.lost += verdict.lost + missing(witness, log)
    found.disorder += verdict.disorder
  }
  const [log, ...others] = logs as [Entry[], ...Entry[][]]
  expectThat(
    others.every((other) => isDeepStrictEqual(other, log)),
    'machines have different logs of a session',
  )
  const ends = log.flatMap((entry) => entry.endReason ?? [])
  expectThat(ends.join() === endReason && log.at(-1)?.endReason === endReason, `a log has the ends ${ends.join()}`)
  expectThat(cluster.site.timesOpened(key) <= 1, 'two browsers opened the page of a session')
  const texts = log.map(({ text }) => text ?? '')
  for (const [line, isAcknowledged] of lines) {
    const times = texts.filter((text) => text === line).length
    expectThat(times <= 1, 'an action was carried out twice')
    // What a machine that is lost had not committed is counted in its log as unknown.
    if (isAcknowledged && endReason === 'TERMINATED' && times === 0) found.lost += 1
  }
  return found
}

/** Entries of the log that its follower has not received. */
const missing = (witness: Witness, log: readonly Entry[]) => Math.max(0, log.length - witness.seenCount)

/** Ends all sessions of the load. `hit`: ids of the machines that may have lost theirs. Rejects if one is not as it must be. */
export async function judge(cluster: MachineCluster, load: MachineLoad, hit: ReadonlySet<string>): Promise<Found> {
  await untilWhole(cluster)
  const sum = { lost: 0, disorder: 0 }
  const ends: string[] = []
  for (const session of load.sessions) ends.push(await endSession(cluster, load, session, hit))
  for (const [index, session] of load.sessions.entries()) {
    const { lost, disorder } = await judgeLog(cluster, session, ends[index]!)
    sum.lost += lost
    sum.disorder += disorder
  }
  const changes = await cluster.ownerChanges()
  const moved = changes.filter(({ status, from, to }) => status !== 'CREATING' || (to !== '' && to !== from))
  expectThat(moved.length === 0, `sessions that ran have changed their owner: ${JSON.stringify(moved)}`)
  return sum
}

/** Browsers and their folders that are left, after waiting for those that are being closed. */
export async function leaks({ machines }: MachineCluster): Promise<number> {
  const count = async () => {
    let left = 0
    for (const { server } of machines) left += (await server.browsers()).length + server.browserFolders()
    return left
  }
  await eventually('nothing is left', SETTLE_MS, async () => (await count()) === 0).catch(() => undefined)
  return await count()
}
