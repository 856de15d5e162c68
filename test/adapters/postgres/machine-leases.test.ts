import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { InProcessBus } from '../../../src/adapters/bus/in-process.ts'
import { openStore } from '../../../src/adapters/postgres/store.ts'
import { LEASE_TIMING } from '../../../src/domain/machines/lease-keeper.ts'
import { LostSessions } from '../../../src/domain/machines/lost-sessions.ts'
import { createLogger } from '../../../src/logger.ts'
import type { Store } from '../../../src/ports/store/store.ts'
import { consoleMessage, numbered, readAll, sampleSession, statusChange } from '../../contracts/store-samples.ts'
import { startPostgres, type TestPostgres } from '../../support/databases.ts'

/**
 * Any history of servers that start, renew, stall, die and return, over the real statements. Time passes by moving all
 * times of the database into the past.
 */

const logger = createLogger('silent')
/** So long that the time which the test itself takes makes no difference. */
const [leaseMs, beatMs] = [LEASE_TIMING.leaseMs * 1000, LEASE_TIMING.beatMs * 1000]
const REPORT = { address: null, version: '1', slots: 1, live: 0, queued: 0, warm: 0, draining: false }

let postgres: TestPostgres
let store: Store
let client: pg.Client
beforeAll(async () => {
  postgres = await startPostgres()
  store = await openStore({ kind: 'server', url: postgres.url }, { dataDir: '/nonexistent', logger })
  client = new pg.Client({ connectionString: postgres.url })
  await client.connect()
})
afterAll(async () => {
  await client.end()
  await store.close()
  await postgres.close()
})
beforeEach(async () => {
  await client.query('truncate machines, sessions, log_entries')
})

const pass = (ms: number) =>
  client.query(
    `update machines set ${['heartbeat_at', 'lease_until', 'steady_since', 'left_at']
      .map((column) => `${column} = ${column} - $1::float8 * interval '1 millisecond'`)
      .join(', ')}`,
    [ms],
  )

/** A session as its own server sees it: it writes as long as nothing tells it otherwise. */
interface Writer {
  id: string
  last: number
  isLost: boolean
}

/** A server: what it knows, and what must be true of it. */
class Server {
  readonly machine = { id: randomUUID(), instance: randomUUID(), leaseMs }
  readonly sessions: Writer[] = []
  /** Null: it does not run. */
  epoch: number | null = null
  /** Milliseconds since its last renewal; its lease is valid for sure while they are fewer than a lease lasts. */
  sinceRenewal = 0
  readonly #lost = new LostSessions(store, new InProcessBus(), this.machine.id, logger)

  async start(): Promise<void> {
    this.machine.instance = randomUUID()
    this.epoch = await store.machines.begin(this.machine, REPORT)
    this.sinceRenewal = 0
    this.sessions.length = 0
  }

  /** As LeaseKeeper does. */
  async beat(): Promise<void> {
    if (this.epoch === null) return
    const isRenewed = await store.machines.renew(this.machine, this.epoch, REPORT)
    // No lease that was renewed in time is taken away.
    if (this.sinceRenewal < leaseMs && !isRenewed) throw new Error('a lease that was renewed in time was taken away')
    if (!isRenewed) {
      for (const session of this.sessions) session.isLost = true
      this.epoch = await store.machines.beginAgain(this.machine, REPORT)
      if (this.epoch === null) throw new Error('no other lease was begun')
    }
    this.sinceRenewal = 0
  }

  async lookAtOthers(): Promise<void> {
    if (this.epoch === null) return
    await store.machines.takeExpired(this.machine, this.epoch)
    await this.#lost.endAll()
  }

  async startSession(): Promise<string | null> {
    if (this.epoch === null) return null
    const session = sampleSession({ machineId: this.machine.id, machineEpoch: this.epoch, status: 'RUNNING' })
    await store.insertSession(session, numbered([statusChange]))
    this.sessions.push({ id: session.id, last: 1, isLost: false })
    return session.id
  }

  /** Whether or not it still holds its lease: it may not know. */
  async write(): Promise<void> {
    for (const session of this.sessions) {
      if (session.isLost) continue
      const outcome = await store.append(session.id, session.last, numbered([consoleMessage('line')], session.last))
      if (outcome.kind === 'committed') session.last += 1
      else session.isLost = true
      const isLeased = this.epoch !== null && this.sinceRenewal < leaseMs
      if (isLeased && session.isLost) throw new Error('the log of a session with a lease was closed')
    }
  }
}

type Step = { do: 'start' | 'die' | 'beat' | 'look' | 'session' | 'write'; server: number } | { do: 'pass'; ms: number }

const server = fc.nat(2)
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('start' as const, 'die' as const), server }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('beat' as const, 'look' as const), server }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('session' as const, 'write' as const), server }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(beatMs, leaseMs / 2, leaseMs + 1) }),
  },
)

test('whatever happens, leases renewed in time are kept, and every session of a lost server ends once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 10, maxLength: 60 }), async (steps) => {
      await client.query('truncate machines, sessions, log_entries')
      const servers = [new Server(), new Server(), new Server()]
      const sessions: string[] = []
      const passAll = async (ms: number) => {
        await pass(ms)
        for (const one of servers) one.sinceRenewal += ms
      }
      for (const one of servers) await one.start()
      for (const step of steps) {
        if (step.do === 'pass') {
          await passAll(step.ms)
          continue
        }
        const one = servers[step.server]!
        if (step.do === 'start') await one.start()
        if (step.do === 'die') one.epoch = null
        if (step.do === 'beat') await one.beat()
        if (step.do === 'look') await one.lookAtOthers()
        if (step.do === 'write') await one.write()
        if (step.do === 'session') sessions.push(...[await one.startSession()].filter((id) => id !== null))
      }
      // One of them stays, and renews its lease as usual.
      const [survivor, ...others] = servers
      for (const one of others) one.epoch = null
      if (survivor!.epoch === null) await survivor!.start()
      await survivor!.beat()
      for (let ms = 0; ms <= 2 * leaseMs + beatMs; ms += beatMs) {
        await survivor!.beat()
        await survivor!.lookAtOthers()
        await passAll(beatMs)
      }
      await survivor!.beat()
      for (const one of others) await one.write()
      const own = new Set(survivor!.sessions.filter(({ isLost }) => !isLost).map(({ id }) => id))
      for (const id of sessions) {
        const entries = await readAll(store, id, { kinds: null })
        expect(entries.map(({ sequence }) => sequence)).toEqual(entries.map((_, index) => index + 1))
        const ends = entries.filter(
          ({ kind, data }) => kind === 'STATUS_CHANGE' && 'to' in data && data.to === 'FAILED',
        )
        const record = await store.findSession(id)
        expect([record?.status, ends.length]).toEqual(own.has(id) ? ['RUNNING', 0] : ['FAILED', 1])
        if (ends[0]) expect(ends[0]).toBe(entries.at(-1))
      }
    }),
    { numRuns: 40 },
  )
})

test('after an outage of the database for all, nothing is lost if all return within a lease of the first', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(leaseMs - beatMs), { minLength: 3, maxLength: 3 }), async (delays) => {
      await client.query('truncate machines, sessions, log_entries')
      const servers = [new Server(), new Server(), new Server()]
      for (const one of servers) {
        await one.start()
        await one.startSession()
      }
      await pass(3 * leaseMs)
      const first = Math.min(...delays)
      for (let now = first; now <= first + 2 * leaseMs; now += leaseMs / 20) {
        for (const [index, one] of servers.entries()) {
          if (now < delays[index]!) continue
          expect(await store.machines.renew(one.machine, one.epoch!, REPORT)).toBe(true)
          await one.lookAtOthers()
        }
        await pass(leaseMs / 20)
      }
      for (const one of servers) {
        const record = await store.findSession(one.sessions[0]!.id)
        expect(record?.status).toBe('RUNNING')
      }
    }),
    { numRuns: 10 },
  )
})
