import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { v7 as uuidv7 } from 'uuid'
import { beforeEach, describe, expect, test } from 'vitest'
import { NO_HOLDER } from '../../src/ports/sessions/session-record.ts'
import { START_VERSION, type Claimant } from '../../src/ports/store/start-store.ts'
import type { Store } from '../../src/ports/store/store.ts'
import { StartModel } from '../support/start-model.ts'
import { numbered, sampleSession, statusChange } from './store-samples.ts'

const REPORT = { address: null, version: '1', slots: 2, live: 0, queued: 0, warm: 0, draining: false }
/** Beyond any that the tests take: nobody's lease ends by itself, and no grace is over. */
const LONG_MS = 3_600_000
const ENTRIES = numbered([statusChange])
const SEALED = new Uint8Array([0, 1, 255])

/** Part of the store contract: the queue of several machines. */
export function describeStartRows(store: () => Store): void {
  const queue = (members: Parameters<typeof sampleSession>[0] = {}, maxQueued = 100) => {
    // Starts of the same millisecond are in the order of their ids.
    const record = sampleSession({ ...NO_HOLDER, id: uuidv7(), ...members })
    return store()
      .queueSession(record, ENTRIES, SEALED, maxQueued)
      .then((outcome) => ({ id: record.id, record, outcome }))
  }
  const begin = async (slots = 2) => {
    const machine = { id: randomUUID(), instance: randomUUID(), leaseMs: LONG_MS }
    const machineEpoch = await store().machines.begin(machine, { ...REPORT, slots })
    const claimant: Claimant = {
      machineId: machine.id,
      machineEpoch,
      live: 0,
      warm: 0,
      graceMs: 0,
      version: START_VERSION,
    }
    const report = (members: Partial<typeof REPORT>) =>
      store().machines.renew(machine, machineEpoch, { ...REPORT, slots, ...members })
    const leave = () => store().machines.leave(machine.id, machineEpoch)
    return { machine, claimant, report, leave }
  }
  const claim = async (claimant: Claimant) => (await store().claimStart(claimant)).claimed?.sessionId ?? null
  let lastAt = statusChange.at
  const run = (id: string, claimant: Claimant) => {
    // Equal entries would be a repetition after a lost answer, which is committed as well.
    const entry = { ...statusChange, at: (lastAt += 1), sequence: 2 }
    return store().append(id, 1, [entry], { status: 'RUNNING', startedAt: Date.now() }, claimant)
  }
  const end = (id: string, last: number, holder: Parameters<Store['append']>[4] = NO_HOLDER) =>
    store().append(
      id,
      last,
      [{ ...statusChange, at: (lastAt += 1), sequence: last + 1 }],
      { status: 'CLOSED', endedAt: Date.now() },
      holder,
    )

  /** No machine takes part, and nothing waits. */
  const clear = async () => {
    for (const { id, epoch, leftAt } of await store().machines.list()) {
      if (leftAt === null) await store().machines.leave(id, epoch)
    }
    await store().releaseLostStarts()
    for (const { id } of await store().listLostStarts()) await end(id, 1)
    const { claimant, leave } = await begin(1_000)
    for (let id = await claim(claimant); id; id = await claim(claimant)) await end(id, 1, claimant)
    await leave()
    await store().deleteStarts()
  }

  describe('the queue of several machines', () => {
    beforeEach(() => clear())

    test('a start is claimed once, with what it was given, and only its holder writes from then on', async () => {
      const { id, outcome } = await queue()
      expect(outcome).toEqual({ kind: 'inserted' })
      expect(await store().countWaitingStarts()).toBe(1)
      expect(await store().findSession(id)).toMatchObject({ ...NO_HOLDER, status: 'CREATING', lastSequence: 1 })
      const [one, other] = [await begin(), await begin()]
      const outcomes = await Promise.all([store().claimStart(one.claimant), store().claimStart(other.claimant)])
      const claims = outcomes.flatMap(({ claimed }) => claimed ?? [])
      expect(claims.map(({ sessionId, sealed }) => [sessionId, [...sealed]])).toEqual([[id, [...SEALED]]])
      const [winner, loser] = outcomes[0].claimed ? [one, other] : [other, one]
      const { machineId, machineEpoch } = winner.claimant
      expect(await store().findSession(id)).toMatchObject({ machineId, machineEpoch })
      expect(await store().listHeldStarts(machineId, machineEpoch)).toEqual([id])
      expect(await store().countWaitingStarts()).toBe(0)
      expect(await run(id, loser.claimant)).toMatchObject({ kind: 'conflict' })
      expect(await end(id, 1)).toMatchObject({ kind: 'conflict' })
      expect(await store().patchSession(id, { name: 'x' }, NO_HOLDER)).toBe(false)
      expect(await store().patchSession(id, { name: 'y' }, winner.claimant)).toBe(true)
      expect(await run(id, winner.claimant)).toEqual({ kind: 'committed' })
      expect(await store().releaseStart(id, winner.claimant)).toBe(false)
      expect(await store().listHeldStarts(machineId, machineEpoch)).toEqual([])
    })

    test('many claims at once get a start each, the oldest first', async () => {
      const owners = Array.from({ length: 8 }, () => randomUUID())
      const queued: string[] = []
      for (const owner of owners) queued.push((await queue({ owner })).id)
      const machines = await Promise.all(Array.from({ length: 5 }, () => begin()))
      const claimed = await Promise.all(machines.map(({ claimant }) => claim(claimant)))
      expect(claimed.toSorted()).toEqual(queued.slice(0, 5).toSorted())
    })

    test('a lost machine loses its claims, and what it still writes comes too late', async () => {
      const { id } = await queue()
      const [zombie, heir] = [await begin(), await begin()]
      expect(await claim(zombie.claimant)).toBe(id)
      expect(await store().releaseLostStarts()).toBe(0)
      await zombie.leave()
      expect((await store().listLostSessions(heir.machine.id, 1_000)).map((one) => one.id)).not.toContain(id)
      expect((await store().listLiveSessions(zombie.machine.id)).map((one) => one.id)).not.toContain(id)
      const released = await Promise.all([store().releaseLostStarts(), store().releaseLostStarts()])
      expect(released.toSorted()).toEqual([0, 1])
      expect(await run(id, zombie.claimant)).toMatchObject({ kind: 'conflict' })
      expect(await claim(heir.claimant)).toBe(id)
      expect(await run(id, zombie.claimant)).toMatchObject({ kind: 'conflict' })
      expect(await store().releaseStart(id, zombie.claimant)).toBe(false)
      expect(await run(id, heir.claimant)).toEqual({ kind: 'committed' })
      await heir.leave()
      expect((await store().listLostSessions(heir.machine.id, 1_000)).map((one) => one.id)).toContain(id)
    })

    test('a start that has lost three machines is not claimed any more, and ends once', async () => {
      const { id } = await queue()
      for (const losses of [0, 1, 2]) {
        expect(await store().listLostStarts()).toEqual([])
        const { claimant, leave } = await begin()
        expect(await claim(claimant)).toBe(id)
        // Handed back, it has lost nobody.
        expect(await store().releaseStart(id, claimant)).toBe(true)
        expect(await claim(claimant)).toBe(id)
        await leave()
        // Several machines notice it.
        const released = await Promise.all([store().releaseLostStarts(), store().releaseLostStarts()])
        expect(released.toSorted(), `after ${losses} losses`).toEqual([0, 1])
      }
      const { id: harmless } = await queue()
      expect((await store().listLostStarts()).map((record) => record.id)).toEqual([id])
      expect(await claim((await begin()).claimant)).toBe(harmless)
      expect(await claim((await begin()).claimant)).toBeNull()
      const ends = await Promise.all([end(id, 1), end(id, 1)])
      expect(ends.map(({ kind }) => kind).toSorted()).toEqual(['committed', 'conflict'])
      expect(await store().listLostStarts()).toEqual([])
    })

    test('a start is left to machines of its version or a later one', async () => {
      const { id } = await queue()
      const { claimant } = await begin()
      const outcome = await store().claimStart({ ...claimant, version: START_VERSION - 1 })
      expect(outcome).toEqual({ claimed: null, othersWait: true })
      expect(await claim({ ...claimant, version: START_VERSION + 1 })).toBe(id)
    })

    test('a machine that drains, or whose lease is over, claims nothing', async () => {
      const { id } = await queue()
      const { claimant, report, leave } = await begin()
      expect(await claim({ ...claimant, machineEpoch: claimant.machineEpoch + 1 })).toBeNull()
      await report({ draining: true })
      expect(await claim(claimant)).toBeNull()
      await report({})
      await leave()
      expect(await claim(claimant)).toBeNull()
      expect(await claim((await begin()).claimant)).toBe(id)
    })

    test('a start is left to machines with a warm browser, then to those with fewer sessions, for a while', async () => {
      const { id } = await queue()
      const [warm, idle, full] = [await begin(), await begin(), await begin(1)]
      await warm.report({ warm: 1, live: 1 })
      await full.report({ warm: 1, live: 1 })
      const hesitant = { graceMs: LONG_MS }
      expect(await store().claimStart({ ...idle.claimant, ...hesitant })).toEqual({ claimed: null, othersWait: true })
      await warm.report({ live: 1 })
      expect(await claim({ ...warm.claimant, ...hesitant, live: 1 })).toBeNull()
      expect(await claim({ ...idle.claimant, ...hesitant })).toBe(id)
      const { id: next } = await queue()
      // It has reported its session with the claim.
      await warm.report({ live: 0 })
      expect(await claim({ ...idle.claimant, ...hesitant, live: 1 })).toBeNull()
      expect(await claim({ ...idle.claimant, live: 1 })).toBe(next)
    })

    test('is full once all slots are taken and as many wait as may, also of starts that come at once', async () => {
      await begin(2)
      const outcomes = await Promise.all(Array.from({ length: 12 }, () => queue({}, 3)))
      const kinds = outcomes.map(({ outcome }) => outcome.kind)
      expect(kinds.filter((kind) => kind === 'inserted')).toHaveLength(5)
      expect(outcomes.find(({ outcome }) => outcome.kind === 'full')?.outcome).toEqual({
        kind: 'full',
        freeInMs: null,
      })
      const refused = outcomes.find(({ outcome }) => outcome.kind === 'full')!
      expect(await store().findSession(refused.id)).toBeNull()
      const accepted = outcomes.find(({ outcome }) => outcome.kind === 'inserted')!
      // After a lost answer.
      expect(await store().queueSession(accepted.record, ENTRIES, SEALED, 0)).toEqual({ kind: 'inserted' })
      const { claimant } = await begin(1)
      const running = (await claim(claimant))!
      await run(running, claimant)
      const { outcome } = await queue({}, 0)
      expect(outcome).toEqual({ kind: 'full', freeInMs: expect.any(Number) })
    })

    test('knows a start that repeats an idempotency key, even when it is full', async () => {
      await begin(1)
      const owner = randomUUID()
      const rivals = await Promise.all([1, 2, 3].map(() => queue({ owner, idempotencyKey: 'same' }, 5)))
      expect(rivals.filter(({ outcome }) => outcome.kind === 'inserted')).toHaveLength(1)
      const { id } = rivals.find(({ outcome }) => outcome.kind === 'inserted')!
      const { outcome } = await queue({ owner, idempotencyKey: 'same' }, 0)
      expect(outcome).toMatchObject({ kind: 'exists', record: { id } })
    })

    test('has none that was canceled, and lists those that wait longer than their sessions may last', async () => {
      const [canceled, overdue] = [await queue(), await queue({ maxDurationSeconds: 0 })]
      // It was created just now, by a clock that is behind.
      await queue({ owner: canceled.record.owner, createdAt: Date.now() - LONG_MS, maxDurationSeconds: 60 })
      expect(await end(canceled.id, 1)).toEqual({ kind: 'committed' })
      expect(await store().countWaitingStarts()).toBe(2)
      expect((await store().listOverdueStarts()).map(({ id }) => id)).toEqual([overdue.id])
      const { claimed } = await store().claimStart((await begin()).claimant)
      expect(claimed).toMatchObject({ sessionId: overdue.id, waitedMs: expect.any(Number) as number })
      expect(claimed!.waitedMs).toBeLessThan(LONG_MS)
      expect(await store().listOverdueStarts()).toEqual([])
    })

    test('is what the model says, whatever is asked of it', { timeout: 240_000 }, async () => {
      const anyMove = fc.record({
        kind: fc.constantFrom(
          'queue',
          'queue',
          'claim',
          'claim',
          'run',
          'end',
          'lose',
          'begin',
          'drain',
          'release',
          'tend',
        ),
        machine: fc.nat(1),
        owner: fc.constantFrom('one', 'two'),
        pick: fc.nat(20),
        isPatient: fc.boolean(),
      })
      await fc.assert(
        fc.asyncProperty(fc.array(anyMove, { maxLength: 30 }), async (moves) => {
          await clear()
          const model = new StartModel()
          const suffix = randomUUID()
          const beginModeled = async () => {
            const begun = await begin()
            model.begin(begun.machine.id, 2)
            return begun
          }
          const machines = [await beginModeled(), await beginModeled()]
          const ids: string[] = []
          /** All claims that ever were. */
          const held: [string, Claimant][] = []
          for (const { kind, machine: index, owner, pick, isPatient } of moves) {
            const { machine, claimant, leave, report } = machines[index]!
            const holder = { machineId: machine.id, epoch: claimant.machineEpoch }
            const [id, by] = held[pick % Math.max(1, held.length)] ?? []
            const isHeld = by && { machineId: by.machineId, epoch: by.machineEpoch }
            if (kind === 'queue') {
              const queued = await queue({ owner: owner + suffix }, 2)
              if (queued.outcome.kind === 'inserted') ids.push(queued.id)
              expect(queued.outcome.kind).toBe(model.queue(queued.id, owner, 2))
            } else if (kind === 'claim') {
              const [live, warm] = [pick % 3, pick % 2]
              const claimed = await claim({ ...claimant, live, warm, graceMs: isPatient ? LONG_MS : 0 })
              expect(claimed).toBe(model.claim(holder, live, warm, isPatient))
              if (claimed) held.push([claimed, claimant])
            } else if (kind === 'lose') {
              await leave()
              model.lose(machine.id)
            } else if (kind === 'begin') {
              machines[index] = await beginModeled()
            } else if (kind === 'drain') {
              await report({ draining: true })
              model.report(machine.id, claimant.machineEpoch, { live: 0, warm: 0, isDraining: true })
            } else if (kind === 'tend') {
              expect(await store().releaseLostStarts()).toBe(model.releaseLost())
              const lost = (await store().listLostStarts()).map((record) => record.id)
              expect(lost.toSorted()).toEqual(model.lost.toSorted())
              await store().deleteStarts()
              model.deleteStarts()
            } else if (kind === 'end') {
              const some = ids[pick % Math.max(1, ids.length)]
              if (some) expect((await end(some, 1)).kind === 'committed').toBe(model.end(some, null))
            } else if (id && by && isHeld) {
              if (kind === 'run') expect((await run(id, by)).kind === 'committed').toBe(model.run(id, isHeld))
              else expect(await store().releaseStart(id, by)).toBe(model.release(id, isHeld))
            }
            expect(await store().countWaitingStarts()).toBe(model.waiting.length)
          }
        }),
        { numRuns: 15 },
      )
    })
  })
}
