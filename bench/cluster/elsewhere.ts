import { milliseconds, type Finding } from '../benchmark.ts'
import { CdpSocket } from '../cdp-socket.ts'
import type { GraphqlClient } from '../graphql-client.ts'
import { startLocalSite, type LocalSite } from '../local-site.ts'
import { receiveThroughServer } from '../logged-lines.ts'
import { compare, interleave, percentile, timed, type Pair } from '../measure.ts'
import { untilWarm, WARM_BROWSERS } from '../warm-pool.ts'
import { startMachine } from './machine.ts'
import type { SharedServices } from './shared-services.ts'

/** Its baseline is the same at the machine of the session. The issue that asks for them names no aims. */
export type MachineFinding = Omit<Finding, 'aim'>

interface Effort {
  rounds: number
  lines: number
  burst: number
  roundTrips: number
}

export const WHOLE: Effort = { rounds: 6, lines: 400, burst: 10_000, roundTrips: 50 }
export const SHORT: Effort = { rounds: 1, lines: 50, burst: 500, roundTrips: 5 }

/** Two machines: all sessions run on `owner`, since the only slot of `other` is taken. */
interface Stage {
  site: LocalSite
  owner: GraphqlClient
  other: GraphqlClient
  effort: Effort
}

const START = `mutation ($input: StartSessionInput!) { startSession(input: $input, waitUntil: RUNNING) { id status machineId } }`
const END = `mutation ($id: ID!) { terminateSession(id: $id) { id } }`
const LINK = `query ($id: ID!) { session(id: $id) { access { cdpUrl } } }`

interface Started {
  startSession: { id: string; status: string; machineId: string | null }
}

async function start(client: GraphqlClient): Promise<{ id: string; machineId: string | null }> {
  const { startSession } = await client.query<Started>(START, { input: { keepAlive: true } })
  if (startSession.status !== 'RUNNING') throw new Error(`the session is ${startSession.status}`)
  return startSession
}

/** What it costs to be asked for a session of another machine. `found`: is told each number once it is measured. */
export async function measureElsewhere(
  services: SharedServices,
  opened: AsyncDisposableStack,
  effort: Effort,
  found: (finding: MachineFinding) => void,
): Promise<void> {
  const site = opened.adopt(await startLocalSite(), (started) => started.close())
  const one = { TABWIRE_MAX_SESSIONS: '1', TABWIRE_WARM_BROWSERS: '0' }
  const other = opened.adopt(await startMachine(services, 'real', one), (started) => started.close())
  const { machineId: full } = await start(other.client)
  const many = { TABWIRE_WARM_BROWSERS: String(WARM_BROWSERS) }
  const owner = opened.adopt(await startMachine(services, 'real', many), (started) => started.close())
  const stage: Stage = { site, owner: owner.client, other: other.client, effort }
  await untilWarm(stage.owner)
  const { id, machineId } = await start(stage.other)
  if (machineId === full) throw new Error('the session runs on the machine that has no slot left')
  await stage.owner.query(END, { id })
  for (const measure of [latency, starts, burst, roundTrips]) {
    for (const finding of await measure(stage)) found(finding)
  }
}

async function latency({ site, owner, other, effort }: Stage): Promise<MachineFinding[]> {
  const delays = { owner: [] as number[][], other: [] as number[][] }
  const receive = (at: GraphqlClient, into: number[][]) => async () => {
    const wanted = { count: effort.lines, everyMs: 10 }
    into.push((await receiveThroughServer(owner, site, wanted, at)).delaysMs)
    return 0
  }
  // The first run of either loads and compiles code.
  await receive(other, [])()
  await interleave(effort.rounds, receive(owner, delays.owner), receive(other, delays.other))
  return [
    { share: 0.5, must: 3 },
    { share: 0.99, must: 15 },
  ].map(({ share, must }): MachineFinding => {
    const baseline = percentile(delays.owner.flat(), share)
    const measured = percentile(delays.other.flat(), share)
    const differences = delays.owner.map(
      (round, index) => percentile(delays.other[index]!, share) - percentile(round, share),
    )
    return {
      id: `elsewhere-latency-p${share * 100}`,
      what: `one line at 100/s: page → subscriber, p${share * 100}`,
      baseline: milliseconds(baseline),
      measured: milliseconds(measured),
      figure: measured - baseline,
      unit: 'ms more',
      must,
      spread: [Math.min(...differences), Math.max(...differences)],
    }
  })
}

async function starts({ owner, other, effort }: Stage): Promise<MachineFinding[]> {
  const through = (client: GraphqlClient) => async () => {
    await untilWarm(owner)
    let id = ''
    const elapsed = await timed(async () => ({ id } = await start(client)))
    await owner.query(END, { id })
    return elapsed
  }
  const pairs = await rehearsed(effort.rounds * 4, through(owner), through(other))
  return [
    ratio({ id: 'elsewhere-start', what: 'startSession(waitUntil: RUNNING), warm browser, p50', must: 1.3 }, pairs),
  ]
}

async function burst({ site, owner, other, effort }: Stage): Promise<MachineFinding[]> {
  const wanted = { count: effort.burst, everyMs: 0 }
  const through = (client: GraphqlClient) => async () =>
    (await receiveThroughServer(owner, site, wanted, client)).elapsedMs
  const pairs = await rehearsed(effort.rounds, through(owner), through(other))
  const what = `${effort.burst.toLocaleString('en')} console.log lines in a burst until the subscriber has all, p50`
  return [ratio({ id: 'elsewhere-burst', what, must: 1.2 }, pairs)]
}

async function roundTrips({ owner, other, effort }: Stage): Promise<MachineFinding[]> {
  const { id } = await start(owner)
  await untilWarm(owner)
  const connect = async (client: GraphqlClient) => {
    const { session } = await client.query<{ session: { access: { cdpUrl: string } } }>(LINK, { id })
    const socket = await CdpSocket.connect(session.access.cdpUrl)
    return { socket, sessionId: await socket.attachToPage() }
  }
  const [near, far] = [await connect(owner), await connect(other)]
  const over =
    ({ socket, sessionId }: typeof near) =>
    async () => {
      const params = { expression: '1', returnByValue: true }
      const elapsed = await timed(async () => {
        for (let trip = 0; trip < effort.roundTrips; trip += 1) await socket.send('Runtime.evaluate', params, sessionId)
      })
      return elapsed / effort.roundTrips
    }
  const pairs = await rehearsed(effort.rounds * 10, over(near), over(far))
  await Promise.all([near.socket.close(), far.socket.close()])
  await owner.query(END, { id })
  const what = 'a command of the protocol and its response, p50'
  return [ratio({ id: 'elsewhere-round-trip', what, must: 1.6 }, pairs)]
}

async function rehearsed(rounds: number, near: () => Promise<number>, far: () => Promise<number>): Promise<Pair[]> {
  await interleave(Math.ceil(rounds / 8), near, far)
  return interleave(rounds, near, far)
}

function ratio(of: Pick<MachineFinding, 'id' | 'what' | 'must'>, pairs: Pair[]): MachineFinding {
  const compared = compare(pairs, Math.min(4, pairs.length))
  return {
    ...of,
    figure: compared.ratio,
    unit: '×',
    spread: compared.spread,
    baseline: milliseconds(compared.baseline),
    measured: milliseconds(compared.measured),
  }
}
