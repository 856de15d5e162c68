import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { MachineReport } from '../../src/ports/machines/machine-store.ts'
import type { Store } from '../../src/ports/store/store.ts'
import { describeStartRows } from './start-rows.contract.ts'
import { consoleMessage, numbered, sampleSession, statusChange } from './store-samples.ts'

const REPORT: MachineReport = {
  address: 'host.test:4000',
  version: '1.2.3',
  slots: 20,
  live: 3,
  queued: 1,
  warm: 2,
  draining: false,
}
/**
 * Long enough for the whole file; a lease of less than nothing is over when it begins. Both by more than a clock that is
 * being corrected is set back between two statements.
 */
const LONG_MS = 3_600_000
const OVER_MS = -LONG_MS

const newMachine = (leaseMs = LONG_MS) => ({ id: randomUUID(), instance: randomUUID(), leaseMs })

/** Part of the store contract: leases of machines, the sessions that are lost with them, and those that wait for one. */
export function describeMachineRows(store: () => Store): void {
  const machines = () => store().machines
  const listed = async (id: string) => (await machines().list()).find((machine) => machine.id === id)
  /** Takes leases away without having held its own for long. */
  const reaper = async () => {
    const machine = newMachine()
    const epoch = await machines().begin(machine, REPORT)
    return { machine, take: () => machines().takeExpired({ ...machine, leaseMs: OVER_MS }, epoch) }
  }

  describeStartRows(store)

  describe('machines', () => {
    test('are listed as they report themselves, by the clock of the database', async () => {
      const machine = newMachine()
      expect(await machines().begin(machine, REPORT)).toBe(1)
      const found = await listed(machine.id)
      expect(found).toMatchObject({ ...REPORT, id: machine.id, epoch: 1, leftAt: null, isAlive: true })
      const { startedAt, heartbeatAt, leaseUntil } = found!
      expect([startedAt, leaseUntil - startedAt]).toEqual([heartbeatAt, LONG_MS])
      const report = { ...REPORT, address: null, live: 4, draining: true }
      expect(await machines().renew(machine, 1, report)).toBe(true)
      const renewed = await listed(machine.id)
      expect(renewed).toMatchObject({ ...report, startedAt, isAlive: true })
      expect(renewed!.leaseUntil - renewed!.heartbeatAt).toBe(LONG_MS)
    })

    test('have a higher epoch with each start, and that of an earlier process is not renewed', async () => {
      const machine = newMachine()
      await machines().begin(machine, REPORT)
      const next = { ...machine, instance: randomUUID() }
      expect(await machines().begin(next, REPORT)).toBe(2)
      expect(await machines().renew(machine, 1, REPORT)).toBe(false)
      expect(await machines().renew(next, 2, REPORT)).toBe(true)
    })

    test('lose a lease that has expired, once, and begin another', async () => {
      const zombie = newMachine(OVER_MS)
      await machines().begin(zombie, REPORT)
      const [one, other] = [await reaper(), await reaper()]
      expect((await listed(zombie.id))?.isAlive).toBe(false)
      const taken = await Promise.all([one.take(), other.take()])
      expect(taken.flat().filter((id) => id === zombie.id)).toEqual([zombie.id])
      expect(await listed(zombie.id)).toMatchObject({ epoch: 2, leftAt: expect.any(Number), isAlive: false })
      expect(await machines().renew(zombie, 1, REPORT)).toBe(false)
      expect(await machines().beginAgain(zombie, REPORT)).toBe(3)
      // After a lost response.
      expect(await machines().beginAgain(zombie, REPORT)).toBe(4)
      expect(await machines().renew(zombie, 4, REPORT)).toBe(true)
      expect((await listed(zombie.id))?.leftAt).toBeNull()
      expect(await machines().beginAgain({ ...zombie, instance: randomUUID() }, REPORT)).toBeNull()
    })

    test('lose none while it is valid, nor to a machine whose own is over, too new or not its own any more', async () => {
      const alive = newMachine()
      await machines().begin(alive, REPORT)
      const expired = newMachine(OVER_MS)
      await machines().begin(expired, REPORT)
      const machine = newMachine()
      const epoch = await machines().begin(machine, REPORT)
      expect(await machines().takeExpired(machine, epoch)).toEqual([])
      expect(await machines().takeExpired({ ...machine, leaseMs: OVER_MS }, epoch - 1)).toEqual([])
      await machines().renew({ ...machine, leaseMs: OVER_MS }, epoch, REPORT)
      expect(await machines().takeExpired({ ...machine, leaseMs: OVER_MS }, epoch)).toEqual([])
      // It had lapsed, so the time for which it must be held begins with this renewal.
      await machines().renew(machine, epoch, REPORT)
      expect(await machines().takeExpired(machine, epoch)).toEqual([])
      const taken = await machines().takeExpired({ ...machine, leaseMs: OVER_MS }, epoch)
      expect(taken).toContain(expired.id)
      expect(taken).not.toContain(alive.id)
    })

    test('that leave by themselves are not listed, and what they left behind is lost', async () => {
      const machine = newMachine()
      const machineEpoch = await machines().begin(machine, REPORT)
      const session = sampleSession({ machineId: machine.id, machineEpoch })
      await store().insertSession(session, [])
      expect(await store().listLostSessions(randomUUID(), 1000)).not.toContainEqual(session)
      await machines().leave(machine.id, machineEpoch)
      expect(await listed(machine.id)).toBeUndefined()
      expect(await store().listLostSessions(randomUUID(), 1000)).toContainEqual(session)
      // Kept as long as it has live sessions, and for an hour.
      await machines().deleteLeft()
      expect(await store().listLostSessions(randomUUID(), 1000)).toContainEqual(session)
    })

    test('have lost the sessions of earlier epochs: oldest first, and none that has ended or has no epoch', async () => {
      const machine = newMachine(OVER_MS)
      const machineEpoch = await machines().begin(machine, REPORT)
      const of = (members: object) => sampleSession({ machineId: machine.id, machineEpoch, ...members })
      const live = [of({ createdAt: 1 }), of({ createdAt: 2, status: 'RUNNING' })]
      const ended = of({ status: 'CLOSED', endedAt: Date.now() })
      const others = [of({ machineEpoch: null }), of({ machineId: randomUUID() }), of({ machineEpoch: 3 })]
      for (const session of [...live, ended, ...others]) await store().insertSession(session, [])
      const lost = async (asking: string) =>
        (await store().listLostSessions(asking, 1000)).filter(({ machineId }) => machineId === machine.id)
      expect(await lost(machine.id)).toEqual([others[2]])
      const { take } = await reaper()
      expect(await take()).toContain(machine.id)
      expect(await lost(randomUUID())).toEqual([...live, others[2]])
      expect(await store().listLostSessions(randomUUID(), 1)).toHaveLength(1)
      // Its epoch is 3 from here on, and its own are its own again.
      await machines().beginAgain(machine, REPORT)
      expect(await lost(randomUUID())).toEqual([])
      expect(await lost(machine.id)).toEqual(live)
    })

    test('that lost a session write nothing into its log any more, nor into its row', async () => {
      const session = sampleSession({ status: 'RUNNING' })
      await store().insertSession(session, numbered([statusChange]))
      const end = { status: 'FAILED', endReason: 'MACHINE_LOST', endedAt: Date.now() } as const
      const outcomes = await Promise.all(
        ['one', 'other'].map((text) =>
          store().append(session.id, 1, numbered([consoleMessage(text), statusChange], 1), end),
        ),
      )
      expect(outcomes.map(({ kind }) => kind).sort()).toEqual(['committed', 'conflict'])
      for (const last of [1, 2, 3]) {
        expect(await store().append(session.id, last, numbered([consoleMessage('zombie')], last))).toEqual({
          kind: 'conflict',
          lastSequence: 3,
        })
      }
      expect(await store().patchSession(session.id, { name: 'zombie' })).toBe(false)
      expect(await store().findSession(session.id)).toMatchObject({ name: null, lastSequence: 3, ...end })
    })
  })
}
