import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { eventually } from '../eventually.ts'
import type { FaultyServer } from '../faulty-server.ts'
import { Witness } from '../witness.ts'
import type { MachineCluster } from './machine-cluster.ts'

/** A machine that is suspended says nothing; its clients try elsewhere. */
const ASK_MS = 10_000
/** How long it may take until all is as before, on a machine that is busy. */
export const SETTLE_MS = 120_000
/** Between two starts, and two actions, at least and at most. */
const START_EVERY_MS = [500, 1_500] as const
const ACT_EVERY_MS = [50, 500] as const

const STATE = `query ($id: ID!) { session(id: $id) { status endReason error } }`
const START = `mutation ($input: StartSessionInput) { startSession(input: $input, waitUntil: CREATING) { id } }`
const ACT = `mutation ($id: ID!, $expression: String!) {
  runActions(sessionId: $id, actions: [{ evaluate: { expression: $expression } }]) { success } }`

interface State {
  status: string
  endReason: string | null
  error: string | null
}

/** A session, followed on each machine from its first entry. */
export interface LoadedSession {
  readonly id: string
  /** Of the page that it opens. */
  readonly key: string
  /** One for each machine. */
  readonly witnesses: readonly Witness[]
  /** Lines that actions were to write, and whether the client was told that they have. */
  readonly lines: Map<string, boolean>
}

/** Null: whatever the machine answered, it is not what was asked for; it may have been done all the same. */
export async function tryAsk<T>(server: FaultyServer, query: string, variables: object): Promise<T | null> {
  try {
    const response = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': server.apiKey },
      body: JSON.stringify({ query, variables }),
      signal: AbortSignal.timeout(ASK_MS),
    })
    const { data, errors } = (await response.json()) as { data?: T | null; errors?: object[] }
    return errors ? null : (data ?? null)
  } catch {
    return null
  }
}

/** Clients that start sessions and act on them through whichever machine, as they would through a load balancer. */
export class MachineLoad {
  readonly sessions: LoadedSession[] = []
  readonly #cluster: MachineCluster
  readonly #random: () => number
  readonly #stop = new AbortController()
  #loops: Promise<void>[] = []

  constructor(cluster: MachineCluster, random: () => number) {
    this.#cluster = cluster
    this.#random = random
  }

  /** Until `finish`, sessions are started, up to a number, and are acted on. */
  begin(starts: number, actors: number): void {
    this.#loops = [this.#startMany(starts), ...Array.from({ length: actors }, () => this.#actOnAny())]
    // `finish` rejects with it.
    for (const loop of this.#loops) loop.catch(() => {})
  }

  /** Resolves once so many sessions run, and are followed on each machine. */
  async untilHeard(count: number): Promise<void> {
    const isHeard = ({ witnesses }: LoadedSession) => witnesses.every(({ seenCount }) => seenCount > 10)
    await eventually(`${count} sessions are followed on each machine`, SETTLE_MS, async () => {
      const waiting = this.sessions.filter((session) => !isHeard(session))
      const states = await Promise.all(waiting.map(({ id }) => this.#stateOf(id)))
      // A browser has 30 s to start, which may be too little where too much else runs.
      const failed = states.filter((state) => state?.endReason === 'LAUNCH_FAILED').length
      if (this.sessions.length - failed < count) await this.start()
      return this.sessions.length - waiting.length >= count
    })
  }

  /** Resolves once nothing is asked any more. Whatever start was tried has succeeded. */
  async finish(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#loops)
  }

  async close(): Promise<void> {
    await this.finish().catch(() => undefined)
    for (const { witnesses } of this.sessions) for (const witness of witnesses) await witness.close()
  }

  /** Asks one machine after another until one has started it. */
  async start(): Promise<void> {
    const key = randomUUID()
    const initialPrompt = `${this.#cluster.site.origin}/ticks?key=${key}`
    const input = { initialPrompt, keepAlive: true, idempotencyKey: key }
    const { startSession } = await eventually('a session is started', SETTLE_MS, () =>
      tryAsk<{ startSession: { id: string } }>(this.any(), START, { input }),
    )
    const { id } = startSession
    const witnesses = this.#cluster.machines.map(({ server }) => new Witness(server, id))
    this.sessions.push({ id, key, witnesses, lines: new Map() })
  }

  /** Of each session that is not RUNNING, for whoever looks into a failure. */
  async describe(): Promise<string> {
    const states = await Promise.all(this.sessions.map(({ id }) => this.#stateOf(id)))
    return states.flatMap((state) => (state?.status === 'RUNNING' ? [] : [JSON.stringify(state)])).join(' ')
  }

  async #stateOf(id: string): Promise<State | null> {
    return (await tryAsk<{ session: State }>(this.any(), STATE, { id }))?.session ?? null
  }

  any(): FaultyServer {
    const { machines } = this.#cluster
    return machines[Math.floor(this.#random() * machines.length)]!.server
  }

  async #startMany(count: number): Promise<void> {
    for (let started = 0; started < count && (await this.#pause(START_EVERY_MS)); started += 1) await this.start()
  }

  async #actOnAny(): Promise<void> {
    while (await this.#pause(ACT_EVERY_MS)) {
      const session = this.sessions[Math.floor(this.#random() * this.sessions.length)]
      if (!session) continue
      const line = `said ${randomUUID()}`
      session.lines.set(line, false)
      const expression = `console.log(${JSON.stringify(line)})`
      const done = await tryAsk<{ runActions: { success: boolean }[] }>(this.any(), ACT, { id: session.id, expression })
      if (done?.runActions[0]?.success) session.lines.set(line, true)
    }
  }

  /** False once nothing more is to be begun. */
  async #pause([least, most]: readonly [number, number]): Promise<boolean> {
    const { signal } = this.#stop
    await pause(least + this.#random() * (most - least), undefined, { signal }).catch(() => undefined)
    return !signal.aborted
  }
}
