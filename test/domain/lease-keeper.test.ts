import { afterEach, expect, test, vi } from 'vitest'
import { LEASE_TIMING, LeaseKeeper } from '../../src/domain/machines/lease-keeper.ts'
import { createLogger } from '../../src/logger.ts'
import type { MachineStore } from '../../src/ports/machines/machine-store.ts'
import { StoreUnavailable } from '../../src/ports/store/store-errors.ts'

const REPORT = { address: null, version: '1', slots: 1, live: 0, queued: 0, warm: 0, draining: false }
const away = () => Promise.reject(new StoreUnavailable(new Error('away')))

const keepers: LeaseKeeper[] = []
afterEach(async () => {
  await Promise.all(keepers.splice(0).map((keeper) => keeper.close()))
})

/** A keeper over a store with these responses; it renews its lease as fast as it can. */
function keep(responses: Partial<MachineStore>, partitionMs: number | null = null) {
  const reported: string[] = []
  const left: number[] = []
  const store = {
    renew: async () => true,
    leave: async (_: string, epoch: number) => void left.push(epoch),
    ...responses,
  } as MachineStore
  const events = {
    report: () => REPORT,
    renewed: (epoch: number) => void reported.push(`renewed ${epoch}`),
    lost: () => void reported.push(`lost all but ${keeper.epoch}`),
    replaced: () => void reported.push('replaced'),
  }
  const timing = { beatMs: 1, leaseMs: 1_000 }
  const machine = { id: 'one', instance: 'first', leaseMs: 1_000 }
  const keeper = new LeaseKeeper(store, machine, 7, events, { timing, partitionMs }, createLogger('silent'))
  keepers.push(keeper)
  keeper.beat()
  /** Each once, in a row. */
  const news = () => reported.filter((one, index) => one !== reported[index - 1])
  return { keeper, reported, news, left }
}

test('a lost machine is noticed in time, and each has time to renew its lease before another may take it', () => {
  expect(LEASE_TIMING.leaseMs + LEASE_TIMING.beatMs).toBeLessThanOrEqual(13_000)
  // Two deadlines of the connection, and a pause.
  expect(LEASE_TIMING.leaseMs).toBeGreaterThan(2 * 3_000 + 500 + LEASE_TIMING.beatMs / 2)
})

test('is renewed until it is closed, and left then', async () => {
  const { keeper, reported, left } = keep({})
  await expect.poll(() => reported.length).toBeGreaterThan(3)
  await keeper.close()
  expect(new Set(reported)).toEqual(new Set(['renewed 7']))
  expect(left).toEqual([7])
})

test('taken away: all sessions are lost, then those that were started before the next lease', async () => {
  const beginAgain = vi.fn<MachineStore['beginAgain']>().mockImplementationOnce(away).mockResolvedValue(9)
  const { keeper, news } = keep({ renew: async (_, epoch) => epoch === 9, beginAgain })
  await expect.poll(news).toEqual(['lost all but 0', 'lost all but 9', 'renewed 9'])
  expect(keeper.epoch).toBe(9)
})

test('begun by another server under the same id: this one stops, and leaves it alone', async () => {
  const { keeper, news, left } = keep({ renew: async () => false, beginAgain: async () => null })
  await expect.poll(news).toEqual(['lost all but 0', 'replaced'])
  await keeper.close()
  expect(left).toEqual([])
})

test('not renewed for too long: sessions are lost once, and the next ones belong to the same lease', async () => {
  let isAway = true
  const { keeper, news } = keep({ renew: () => (isAway ? away() : Promise.resolve(true)) }, 20)
  await expect.poll(news).toEqual(['lost all but 0'])
  expect(keeper.epoch).toBe(0)
  isAway = false
  await expect.poll(news).toEqual(['lost all but 0', 'lost all but 7', 'renewed 7'])
})

test('not renewed for however long on a machine that works alone: nothing is lost', async () => {
  let failures = 0
  const renew = () => (failures++ < 20 ? away() : Promise.resolve(true))
  const { news } = keep({ renew })
  await expect.poll(news).toEqual(['renewed 7'])
})

test('a suspension is no failure: time counts from the first attempt that fails', async () => {
  let [fails, failures] = [false, 0]
  const renew = () => {
    if (!fails || failures > 0) return Promise.resolve(true)
    failures += 1
    return away()
  }
  const { news, reported } = keep({ renew }, 60_000)
  await expect.poll(() => reported.length).toBeGreaterThan(0)
  const now = performance.now.bind(performance)
  const jump = vi.spyOn(performance, 'now').mockImplementation(() => now() + 600_000)
  try {
    fails = true
    await expect.poll(() => failures).toBe(1)
    const before = reported.length
    await expect.poll(() => reported.length).toBeGreaterThan(before)
    expect(news()).toEqual(['renewed 7'])
  } finally {
    jump.mockRestore()
  }
})
