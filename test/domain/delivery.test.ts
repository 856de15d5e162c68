import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { DeliveryBudget, type Delivery, type Reservation } from '../../src/domain/log/reading/delivery.ts'

const never = new AbortController().signal
const LIMITS = { totalBytes: 1000, connectionBytes: 100, stalledMs: 60_000 }

/** Readers of a connection that each need some bytes, and the results of those that had their turn. */
function readers(delivery: Delivery, count: number, bytes: number, signal = never) {
  const got: Reservation[] = []
  const waiting = Array.from({ length: count }, async () => got.push(await delivery.reserve(bytes, signal)))
  return { got, all: Promise.all(waiting) }
}

describe('a connection', () => {
  test('has a small share, whatever the number of its readers', async () => {
    const budget = new DeliveryBudget(LIMITS)
    const delivery = budget.open('ann', () => {})
    const { got, all } = readers(delivery, 100, 40)
    for (let released = 0; released < 100; released += 1) {
      await setImmediate()
      expect(got.length - released).toBe(Math.min(2, 100 - released))
      expect(budget.total).toBe(40 * (got.length - released))
      if (released < 98) expect(delivery.tryReserve(40)).toBeNull()
      got[released]!.release()
    }
    await all
    expect(budget.total).toBe(0)
    delivery.close()
  })

  test('may read one thing that is larger than its share', async () => {
    const delivery = new DeliveryBudget(LIMITS).open('ann', () => {})
    const first = await delivery.reserve(500, never)
    const second = delivery.reserve(10, never)
    first.resize(20)
    expect(delivery.held).toBe(30)
    ;(await second).release()
    first.release()
    first.release()
    first.resize(70)
    expect(delivery.held).toBe(0)
    delivery.close()
  })

  test('that closes gives everything back, and who leaves no longer waits', async () => {
    const budget = new DeliveryBudget(LIMITS)
    const delivery = budget.open('ann', () => {})
    const held = await delivery.reserve(100, never)
    const leaving = new AbortController()
    const left = delivery.reserve(100, leaving.signal)
    const next = delivery.reserve(50, never)
    leaving.abort(new Error('left'))
    await expect(left).rejects.toThrow('left')
    held.resize(50)
    await next
    delivery.close()
    held.release()
    expect(budget.total).toBe(0)
    expect(delivery.hold(10)).toBeDefined()
    expect(budget.total).toBe(0)
  })
})

describe('all connections together', () => {
  test('hold no more than the total; owners take turns', async () => {
    const budget = new DeliveryBudget({ ...LIMITS, totalBytes: 100, connectionBytes: 1000 })
    const order: string[] = []
    const open = (owner: string) => budget.open(owner, () => expect.unreachable())
    const deliveries = [open('ann'), open('ann'), open('ann'), open('bob'), open('eve')]
    const first = await deliveries[0]!.reserve(100, never)
    const waiting = deliveries.flatMap((delivery, index) =>
      [1, 2].map(async (turn) => {
        const held = await delivery.reserve(100, never)
        order.push(`${delivery.owner}${index}.${turn}`)
        expect(budget.total).toBe(100)
        held.release()
      }),
    )
    await setImmediate()
    expect(order).toEqual([])
    first.release()
    await Promise.all(waiting)
    expect(order.slice(0, 3).map((name) => name.slice(0, 3))).toEqual(['ann', 'bob', 'eve'])
    expect(order.slice(0, 6).filter((name) => name.startsWith('ann'))).toHaveLength(2)
    for (const delivery of deliveries) delivery.close()
  })

  test('one that takes nothing is disconnected when others wait, the largest of who holds most first', async () => {
    const budget = new DeliveryBudget({ totalBytes: 200, connectionBytes: 100, stalledMs: 1 })
    const disconnected: string[] = []
    const open = (name: string, owner: string) => budget.open(owner, () => disconnected.push(name))
    const small = open('small', 'ann')
    const large = open('large', 'ann')
    const other = open('other', 'bob')
    await small.reserve(40, never)
    await large.reserve(70, never)
    await other.reserve(90, never)
    const waiting = open('waiting', 'eve')
    const held = await waiting.reserve(60, never)
    expect(disconnected).toEqual(['large'])
    expect(budget.total).toBe(190)
    held.release()
    for (const delivery of [small, other, waiting]) delivery.close()
    expect(budget.total).toBe(0)
  })

  test('what nobody waited for is bounded too', () => {
    const budget = new DeliveryBudget({ ...LIMITS, totalBytes: 100 })
    const disconnected: string[] = []
    const [ann, bob] = ['ann', 'bob'].map((owner) => budget.open(owner, () => disconnected.push(owner)))
    ann!.hold(80)
    bob!.hold(110)
    expect(disconnected).toEqual([])
    ann!.hold(20)
    expect(disconnected).toEqual(['bob'])
    expect(budget.total).toBe(100)
    ann!.close()
  })
})

test('readers that move on do not keep another owner waiting', async () => {
  const budget = new DeliveryBudget(LIMITS)
  const busy = Array.from({ length: 10 }, () => budget.open('ann', () => {}))
  const held = await Promise.all(busy.map((delivery) => delivery.reserve(100, never)))
  const other = budget.open('bob', () => {})
  let isServed = false
  const reading = other.reserve(300, never).then((got) => {
    isServed = true
    got.release()
  })
  // Each of them is done with its batch and wants the next at once.
  const next = busy.map((delivery, index) => {
    held[index]!.release()
    return delivery.reserve(100, never)
  })
  for (let turn = 0; turn < 5; turn += 1) await setImmediate()
  expect(isServed).toBe(true)
  await reading
  for (const got of await Promise.all(next)) got.release()
  expect(budget.total).toBe(0)
})

test('who gives up lets those behind it have the room that there is', async () => {
  const budget = new DeliveryBudget(LIMITS)
  const [full, first, second] = ['ann', 'bob', 'cid'].map((owner) => budget.open(owner, () => {}))
  await full!.reserve(900, never)
  const gaveUp = new AbortController()
  const large = first!.reserve(500, gaveUp.signal)
  const small = second!.reserve(50, never)
  gaveUp.abort(new Error('gone'))
  await expect(large).rejects.toThrow('gone')
  ;(await small).release()
})
