import { connect } from '@nats-io/transport-node'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { openNatsBus } from '../../src/adapters/bus/nats-bus.ts'
import { NatsRefused } from '../../src/adapters/bus/nats-connection.ts'
import type { NatsConfig } from '../../src/config.ts'
import { createLogger } from '../../src/logger.ts'
import type { Bus } from '../../src/ports/machines/bus.ts'
import { natsConfig, startNats, type TestNats } from '../support/nats-server.ts'
import { SELF_SIGNED } from '../support/self-signed.ts'
import { describeBus } from './bus.contract.ts'

const silent = createLogger('silent')
/** Sooner than outside of tests, which wait for what these decide. */
const TIMING = { pingMs: 100, firstPauseMs: 20, lastPauseMs: 50 }

let nats: TestNats
beforeAll(async () => {
  nats = await startNats()
})
afterAll(() => nats.close())

describeBus('of NATS', async () => [
  await openNatsBus(natsConfig(nats), silent),
  await openNatsBus(natsConfig(nats), silent),
])

describe('a bus of NATS', () => {
  const opened: { close(): Promise<void> }[] = []
  afterEach(async () => {
    for (const one of opened.splice(0).reverse()) await one.close()
  })
  const own = <T extends { close(): Promise<void> }>(one: T): T => (opened.push(one), one)
  const open = async (config: NatsConfig): Promise<Bus> => own(await openNatsBus(config, silent, TIMING))
  const start = async (...parameters: Parameters<typeof startNats>) => own(await startNats(...parameters))

  /** Counts how often a bus wakes a follower of the session. */
  const follow = (bus: Bus, sessionId: string) => {
    const follower = { woken: 0 }
    bus.subscribe(sessionId, () => (follower.woken += 1))
    return follower
  }

  test.each(['stopped', 'frozen'] as const)(
    'says so while the server is %s, and wakes again afterwards, without a restart and whoever missed something',
    async (how) => {
      const server = await start()
      const [one, other] = [await open(natsConfig(server)), await open(natsConfig(server))]
      const sessionId = randomUUID()
      const follower = follow(other, sessionId)
      one.publish(sessionId)
      await expect.poll(() => follower.woken).toBeGreaterThan(0)

      if (how === 'stopped') await server.stop()
      else await server.freeze()
      await expect.poll(() => [one.problem, other.problem]).toEqual(Array(2).fill(expect.stringMatching(/^NATS /)))
      one.publish(sessionId)
      const duringOutage = follow(other, sessionId)
      follower.woken = 0
      if (how === 'stopped') await server.start()
      else server.thaw()
      await expect.poll(() => [one.problem, other.problem]).toEqual([null, null])
      await expect.poll(() => Math.min(follower.woken, duringOutage.woken)).toBeGreaterThan(0)
      follower.woken = duringOutage.woken = 0
      one.publish(sessionId)
      await expect.poll(() => Math.min(follower.woken, duringOutage.woken)).toBeGreaterThan(0)
    },
  )

  test('opens where no server answers, and says why it is of no use yet', async () => {
    const server = await start()
    await server.stop()
    const bus = await open(natsConfig(server))
    expect(bus.problem).toBe('NATS is not connected: connection refused')
    const follower = follow(bus, randomUUID())
    await server.start()
    await expect.poll(() => bus.problem).toBeNull()
    expect(follower.woken).toBeGreaterThan(0)
  })

  test('opens where a server accepts and stays silent, and can be closed meanwhile', async () => {
    const server = await start()
    await server.freeze()
    const bus = await openNatsBus(natsConfig(server), silent, { ...TIMING, connectMs: 100 })
    expect(bus.problem).toMatch(/^NATS is not connected/)
    await bus.close()
    server.thaw()
  })

  test('publishing while a server stands still costs no memory beyond the sessions', async () => {
    const server = await start()
    const one = own(await openNatsBus(natsConfig(server), silent, { ...TIMING, pingMs: 600_000 }))
    await server.freeze()
    const sessionIds = Array.from({ length: 100 }, () => randomUUID())
    const before = process.memoryUsage().heapUsed
    for (let round = 0; round < 20_000; round += 1) for (const sessionId of sessionIds) one.publish(sessionId)
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(50_000_000)
    server.thaw()
  })

  test('a stranger who floods a subject, with anything, wakes a follower seldom', async () => {
    const server = await start()
    const bus = await open(natsConfig(server))
    const sessionId = randomUUID()
    const follower = follow(bus, sessionId)
    const marker = randomUUID()
    let isOver = false
    bus.subscribe(marker, () => (isOver = true))
    await expect.poll(() => isOver).toBe(true)
    isOver = false
    const stranger = await connect({ servers: server.address })
    try {
      follower.woken = 0
      const startedAt = performance.now()
      for (let count = 0; count < 20_000; count += 1) {
        stranger.publish(`tabwire.1.log.${sessionId}`, 'x'.repeat(count % 1_000))
      }
      for (const subject of ['tabwire.1.log.', 'tabwire.1.log.no-uuid', 'tabwire.1.log']) {
        if (!subject.endsWith('.')) stranger.publish(subject, 'nonsense')
      }
      stranger.publish(`tabwire.1.log.${marker}`)
      await stranger.flush()
      await expect.poll(() => isOver).toBe(true)
      expect(follower.woken).toBeGreaterThan(0)
      expect(follower.woken).toBeLessThanOrEqual(2 + (performance.now() - startedAt) / 5)
    } finally {
      await stranger.close()
    }
  })

  const USER = ['authorization { user: me, password: "p@ss:1" }']

  test('signs in by user and password, and by token', async () => {
    const [byUser, byToken] = [await start(USER), await start(['authorization { token: "s3cret" }'])]
    expect((await open(natsConfig(byUser, { user: 'me', password: 'p@ss:1' }))).problem).toBeNull()
    expect((await open(natsConfig(byToken, { token: 's3cret' }))).problem).toBeNull()
  })

  test('is not opened with credentials that the server refuses, or that cannot be read', async () => {
    const server = await start(USER)
    const refused = [{}, { user: 'me', password: 'wrong' }, { credentialsFile: '/no/such/file.creds' }]
    for (const other of refused) {
      await expect(openNatsBus(natsConfig(server, other), silent)).rejects.toThrow(NatsRefused)
    }
  })

  test('speaks TLS with a server whose certificate it trusts, and with no other', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tabwire-nats-tls-'))
    own({ close: () => rm(directory, { recursive: true, force: true }) })
    const { key, cert } = SELF_SIGNED
    const [caFile, keyFile] = [join(directory, 'cert.pem'), join(directory, 'key.pem')]
    await writeFile(caFile, cert)
    await writeFile(keyFile, key)
    const server = await start([`tls { cert_file: "${caFile}", key_file: "${keyFile}" }`])
    const trusting = await open(natsConfig(server, { tls: { caFile, certFile: null, keyFile: null } }))
    expect(trusting.problem).toBeNull()
    const wary = await open(natsConfig(server, { tls: { caFile: null, certFile: null, keyFile: null } }))
    expect(wary.problem).toMatch(/^NATS is not connected: .*self.signed/)
    const plain = await start()
    const demanding = await open(natsConfig(plain, { tls: { caFile: null, certFile: null, keyFile: null } }))
    expect(demanding.problem).toMatch(/does not support 'tls'/)
  })
})
