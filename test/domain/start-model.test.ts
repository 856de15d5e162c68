import fc from 'fast-check'
import { expect, test } from 'vitest'
import { StartModel, type ModelHolder } from '../support/start-model.ts'

/**
 * The rules of placement, explored as a model; test/contracts/start-rows.contract.ts compares the store with it, step by
 * step.
 */

const MACHINES = ['a', 'b', 'c']
const OWNERS = ['one', 'two', 'three']
const SLOTS = 2
const MAX_QUEUED = 4

/** A process as it sees itself: it may have lost its lease long ago. */
interface Process extends ModelHolder {
  claimed: string[]
  running: string[]
}

const anyMove = fc.record({
  kind: fc.constantFrom('queue', 'claim', 'claim', 'run', 'end', 'cancel', 'lose', 'begin', 'drain', 'release', 'tend'),
  machine: fc.constantFrom(...MACHINES),
  owner: fc.constantFrom(...OWNERS),
  pick: fc.nat(100),
  hasChoice: fc.boolean(),
})
type Move = typeof anyMove extends fc.Arbitrary<infer T> ? T : never

class History {
  readonly model = new StartModel()
  /** All that ever were, zombies included: the last of each machine is the one that has its lease, if anyone has. */
  readonly processes = new Map<string, Process[]>()
  readonly starts = new Map<string, number>()
  #ids = 0

  constructor() {
    for (const machine of MACHINES) this.begin(machine)
  }

  begin(machineId: string): void {
    const process = { machineId, epoch: this.model.begin(machineId, SLOTS), claimed: [], running: [] }
    this.processes.set(machineId, [...(this.processes.get(machineId) ?? []), process])
  }

  current(machineId: string): Process {
    return this.processes.get(machineId)!.at(-1)!
  }

  claim(machineId: string, hasChoice: boolean): string | null {
    const process = this.current(machineId)
    const live = process.claimed.length + process.running.length
    if (live >= SLOTS) return null
    const claimed = this.model.claim(process, live, 0, hasChoice)
    if (claimed) process.claimed.push(claimed)
    return claimed
  }

  run(process: Process, id: string): void {
    process.claimed = process.claimed.filter((one) => one !== id)
    if (!this.model.run(id, process)) return
    process.running.push(id)
    this.starts.set(id, (this.starts.get(id) ?? 0) + 1)
  }

  /** As a machine does: starts that have lost too many machines end. Returns how many wait again. */
  tend(): number {
    const released = this.model.releaseLost()
    for (const id of this.model.lost) if (!this.model.end(id, null)) throw new Error('what is lost could not be ended')
    this.model.deleteStarts()
    return released
  }

  move({ kind, machine, owner, pick, hasChoice }: Move): void {
    const all = this.processes.get(machine)!
    const process = all[pick % all.length]!
    const current = this.current(machine)
    const of = (ids: readonly string[]) => ids[pick % Math.max(1, ids.length)]
    if (kind === 'queue') this.model.queue(String((this.#ids += 1)), owner, MAX_QUEUED)
    else if (kind === 'claim') this.claim(machine, hasChoice)
    else if (kind === 'lose') this.model.lose(machine)
    else if (kind === 'begin') this.begin(machine)
    else if (kind === 'drain') this.model.report(machine, current.epoch, { live: 0, warm: 0, isDraining: true })
    else if (kind === 'tend') {
      this.tend()
    } else if (kind === 'cancel') {
      const waiting = of(this.model.waiting)
      if (waiting && !this.model.end(waiting, null)) throw new Error('what waits could not be canceled')
    } else if (kind === 'end') {
      const running = of(process.running)
      if (running && this.model.end(running, process)) process.running = process.running.filter((id) => id !== running)
    } else {
      const claimed = of(process.claimed)
      if (!claimed) return
      if (kind === 'run') this.run(process, claimed)
      else if (this.model.release(claimed, process)) process.claimed = process.claimed.filter((id) => id !== claimed)
    }
  }
}

test('whatever happens to machines, a session has one owner at a time, runs once, and runs unless three were lost over it', () => {
  fc.assert(
    fc.property(fc.array(anyMove, { maxLength: 80 }), (moves) => {
      const history = new History()
      const { model } = history
      for (const move of moves) {
        history.move(move)
        for (const { id, status, holder } of model.sessions.values()) {
          // A process that could write: it believes that it has the session, and its claim is the one that counts.
          const writers = [...history.processes.values()]
            .flat()
            .filter((one) => [...one.claimed, ...one.running].includes(id))
            .filter((one) => one.machineId === holder?.machineId && one.epoch === holder.epoch)
          expect(writers.length).toBeLessThanOrEqual(1)
          expect(status === 'CREATING' && holder === null).toBe(model.waiting.includes(id))
        }
        expect(model.waiting.length).toBeLessThanOrEqual(MACHINES.length * (SLOTS + MAX_QUEUED))
      }
      // What waits, or was claimed by a machine that is lost, runs as soon as a machine has slots for it, or is given up.
      for (const machine of MACHINES) model.lose(machine)
      for (let round = 0; history.tend() > 0 || model.waiting.length > 0; round += 1) {
        history.begin('a')
        for (let claimed = history.claim('a', false); claimed; claimed = history.claim('a', false)) {
          history.run(history.current('a'), claimed)
        }
        expect(round).toBeLessThan(moves.length + 1)
      }
      const statuses = [...model.sessions.values()].map(({ status }) => status)
      expect(statuses).not.toContain('CREATING')
      expect([...history.starts.values()].filter((count) => count > 1)).toEqual([])
      model.deleteStarts()
      expect(model.startCount).toBe(0)
    }),
    { numRuns: 300 },
  )
})

test('a start is claimed until it has lost three machines, and ends once; others run', () => {
  const history = new History()
  const { model } = history
  model.queue('deadly', 'one', 10)
  for (const loss of [1, 2, 3]) {
    expect(history.claim('a', false)).toBe('deadly')
    if (loss === 1) model.queue('harmless', 'one', 10)
    // Handed back, it has lost nobody.
    expect(model.release('deadly', history.current('a'))).toBe(true)
    expect(model.claim(history.current('a'), 0, 0, false)).toBe('deadly')
    model.lose('a')
    expect(model.releaseLost()).toBe(1)
    expect(model.lost).toEqual(loss === 3 ? ['deadly'] : [])
    history.begin('a')
  }
  expect(history.claim('a', false)).toBe('harmless')
  expect([model.end('deadly', null), model.end('deadly', null)]).toEqual([true, false])
  expect(model.lost).toEqual([])
})

test('owners take turns: while a start waits, nobody else starts more often than it has starts before it, and once', () => {
  const anyStep = fc.record({ owner: fc.constantFrom(...OWNERS), claims: fc.boolean(), tends: fc.boolean() })
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 120 }), (steps) => {
      const model = new StartModel()
      const holder = { machineId: 'a', epoch: model.begin('a', 1_000) }
      /** Of each start that waits: how many of its owner were before it, and how often each other owner has started. */
      const waits = new Map<string, { owner: string; before: number; others: Map<string, number> }>()
      for (const [index, { owner, claims, tends }] of steps.entries()) {
        const id = String(index)
        const before = [...waits.values()].filter((wait) => wait.owner === owner).length
        model.queue(id, owner, 1_000)
        waits.set(id, { owner, before, others: new Map() })
        const claimed = claims ? model.claim(holder, 0, 0, false) : null
        if (claimed) {
          const started = waits.get(claimed)!.owner
          waits.delete(claimed)
          for (const wait of waits.values()) {
            if (wait.owner === started) continue
            wait.others.set(started, (wait.others.get(started) ?? 0) + 1)
            expect(wait.others.get(started)).toBeLessThanOrEqual(wait.before + 2)
          }
          model.run(claimed, holder)
        }
        if (tends) model.deleteStarts()
      }
    }),
    { numRuns: 500 },
  )
})

test('an owner with a hundred starts holds up another one for one of them', () => {
  const model = new StartModel()
  const holder = { machineId: 'a', epoch: model.begin('a', 1_000) }
  for (let index = 0; index < 100; index += 1) model.queue(`many ${index}`, 'many', 1_000)
  for (let index = 0; index < 3; index += 1) model.run(model.claim(holder, index, 0, false)!, holder)
  model.queue('late', 'other', 1_000)
  expect(model.claim(holder, 3, 0, false)).toBe('many 3')
  expect(model.claim(holder, 4, 0, false)).toBe('late')
  expect(model.claim(holder, 5, 0, false)).toBe('many 4')
})
