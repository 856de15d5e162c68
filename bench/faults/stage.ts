import { percentile } from '../measure.ts'
import { eventually } from './eventually.ts'
import type { DatabaseNetwork } from './database-network.ts'
import type { FaultyServer } from './faulty-server.ts'
import type { HostileSite } from './hostile-site.ts'
import { Witness, type Verdict } from './witness.ts'

export type StageKind = 'embedded' | 'postgres'

/** How long the server may take to recover from a fault. */
export const RECOVERY_MS = 60_000

const START = `mutation ($input: StartSessionInput) { startSession(input: $input, waitUntil: LOADED) { id status } }`
const END = `mutation ($id: ID!) { terminateSession(id: $id) { id status } }`
const STATE = `query ($id: ID!) { session(id: $id) { status endReason title consoleMessageCount } }`

export interface SessionState {
  status: string
  endReason: string | null
  title: string | null
  consoleMessageCount: number
}

/** A session with its witness. */
export interface Watched {
  id: string
  /** Pid of its browser. */
  browser: number
  witness: Witness
}

export interface Outcome {
  /** Null if the server handled it as required; otherwise the error. */
  failure: string | null
  lost: number
  disorder: number
  leaks: number
  /**
   * 99th percentile of the neighbor's tick delays during the fault, in milliseconds; null if there was no neighbor.
   */
  neighborP99: number | null
}

/** A database that faults can affect; null for the embedded one. */
export interface StageDatabase {
  network: DatabaseNetwork
  setReadOnly(isReadOnly: boolean): Promise<void>
  endBackends(): Promise<void>
}

/** One server, one neighbor session that no fault targets, and everything needed to inject faults. */
export class Stage {
  readonly kind: StageKind
  readonly server: FaultyServer
  readonly site: HostileSite
  readonly database: StageDatabase | null
  /** Folder of the embedded database on a small file system of its own; null if there is none. */
  readonly smallDisk: string | null
  #neighbor: Watched | null = null
  #victims: Watched[] = []

  constructor(
    kind: StageKind,
    server: FaultyServer,
    site: HostileSite,
    database: StageDatabase | null,
    smallDisk: string | null,
  ) {
    this.kind = kind
    this.server = server
    this.site = site
    this.database = database
    this.smallDisk = smallDisk
  }

  /** A session on a page of the site, followed from its first entry. */
  async victim(path: string, input: object = {}): Promise<Watched> {
    const watched = await this.#start(path, input)
    this.#victims.push(watched)
    return watched
  }

  async state(id: string): Promise<SessionState> {
    return (await this.server.client.query<{ session: SessionState }>(STATE, { id })).session
  }

  /** Resolves when the session has ended. */
  ended(id: string): Promise<SessionState> {
    return eventually('a session ends', RECOVERY_MS, async () => {
      const state = await this.state(id)
      return ['CREATING', 'RUNNING'].includes(state.status) ? null : state
    })
  }

  async terminate(id: string): Promise<void> {
    await this.server.client.query(END, { id })
    await this.ended(id)
  }

  /** Injects the fault and judges the outcome. Never rejects. */
  async suffer(fault: (stage: Stage) => Promise<void>): Promise<Outcome> {
    const outcome: Outcome = { failure: null, lost: 0, disorder: 0, leaks: 0, neighborP99: null }
    try {
      this.#neighbor ??= await this.#start('/ticks')
      this.#neighbor.witness.takeLatencies()
      await fault(this)
      const latencies = this.#neighbor?.witness.takeLatencies() ?? []
      outcome.neighborP99 = latencies.length === 0 ? null : percentile(latencies, 0.99)
      await this.#recover(outcome)
    } catch (error) {
      outcome.failure = failureOf(error)
      await this.#abandon()
    }
    return outcome
  }

  /** The neighbor did not survive a fault of the server itself: starts another for the next one. */
  async replaceNeighbor(): Promise<Verdict> {
    const neighbor = this.#neighbor
    if (!neighbor) return { lost: 0, disorder: 0 }
    await neighbor.witness.close()
    const verdict = await neighbor.witness.judge()
    this.#neighbor = null
    return verdict
  }

  async close(): Promise<void> {
    for (const { witness } of [...this.#victims, ...(this.#neighbor ? [this.#neighbor] : [])]) await witness.close()
  }

  async #start(path: string, input: object = {}): Promise<Watched> {
    const before = new Set(await this.server.browsers())
    const options = { input: { initialPrompt: `${this.site.origin}${path}`, keepAlive: true, ...input } }
    const { startSession } = await this.server.client.query<{ startSession: { id: string } }>(START, options)
    const browser = (await this.server.browsers()).find((pid) => !before.has(pid)) ?? 0
    return { id: startSession.id, browser, witness: new Witness(this.server, startSession.id) }
  }

  async #recover(outcome: Outcome): Promise<void> {
    await eventually('the server is ready again', RECOVERY_MS, () => this.server.isReady())
    for (const { id, witness } of this.#victims.splice(0)) {
      await this.terminate(id)
      await witness.close()
      note(outcome, await witness.judge())
    }
    const neighbor = this.#neighbor
    if (neighbor) {
      const { status, endReason } = await this.state(neighbor.id)
      if (status !== 'RUNNING') {
        note(outcome, await this.replaceNeighbor())
        throw new Error(`the neighbor is ${status} (${endReason})`)
      }
      const seen = neighbor.witness.seenCount
      await eventually('the neighbor is followed again', RECOVERY_MS, async () => neighbor.witness.seenCount > seen)
      note(outcome, await neighbor.witness.judge())
    }
    const probe = await this.#start('/ticks')
    await eventually('a new session is heard', RECOVERY_MS, async () => probe.witness.seenCount > 3)
    await this.terminate(probe.id)
    await probe.witness.close()
    outcome.leaks = await this.#leaks(this.#neighbor ? 1 : 0)
  }

  /** Browsers and folders without a session, after waiting for those that are being closed. */
  async #leaks(live: number): Promise<number> {
    const count = async () =>
      Math.max(0, (await this.server.browsers()).length - live) + Math.max(0, this.server.browserFolders() - live)
    await eventually('nothing is left', 20_000, async () => (await count()) === 0).catch(() => undefined)
    return count()
  }

  async #abandon(): Promise<void> {
    for (const { id, witness } of this.#victims.splice(0)) {
      await witness.close()
      await this.terminate(id).catch(() => undefined)
    }
  }
}

function note(outcome: Outcome, { lost, disorder }: Verdict): void {
  outcome.lost += lost
  outcome.disorder += disorder
}

function failureOf(error: unknown): string {
  const { message, cause } = error as Error
  return cause instanceof Error ? `${message} (${cause.message})` : message
}
