import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CapacityExceeded, CapacityQueue, ServerDraining, type Place } from '../../src/domain/kernel/capacity-queue.ts'

const inAMinute = () => 60

describe('slots', () => {
  test('first come, first served; past the queue CAPACITY_EXCEEDED says when to come again', async () => {
    const slots = new CapacityQueue(1, 2)
    const order: string[] = []
    const enter = (name: string) => {
      const place = slots.enter(inAMinute)
      void place.granted.then(() => order.push(name))
      return place
    }
    const [first, second, third] = [enter('first'), enter('second'), enter('third')]
    expect(() => slots.enter(inAMinute)).toThrow(CapacityExceeded)
    try {
      slots.enter(inAMinute)
    } catch (error) {
      expect((error as CapacityExceeded).extensions).toEqual({ retryAfterSeconds: 60 })
    }
    expect([slots.live, slots.queued]).toEqual([1, 2])
    second.leave()
    first.leave()
    await third.granted
    expect(order).toEqual(['first', 'third'])
    third.leave()
    expect([slots.live, slots.queued]).toEqual([0, 0])
  })

  test('drained: nobody enters, who waits still gets a slot, and it is over when the last one has left', async () => {
    const slots = new CapacityQueue(1, 2)
    const [first, second] = [slots.enter(inAMinute), slots.enter(inAMinute)]
    let isOver = false
    const drained = slots.drain().then(() => (isOver = true))
    expect(() => slots.enter(inAMinute)).toThrow(ServerDraining)
    first.leave()
    await second.granted
    expect(isOver).toBe(false)
    second.leave()
    await drained
    await slots.drain()
    expect(() => slots.enter(inAMinute)).toThrow(ServerDraining)
  })

  test('whatever comes and goes, no more live than slots, none waits while one is free, leaving twice counts once', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.nat(4), fc.array(fc.nat(20)), (total, maxQueued, moves) => {
        const slots = new CapacityQueue(total, maxQueued)
        const places: Place[] = []
        for (const move of moves) {
          if (move % 2 === 0) {
            if (slots.isFull) expect(() => slots.enter(inAMinute)).toThrow(CapacityExceeded)
            else places.push(slots.enter(inAMinute))
          } else {
            places[move % Math.max(1, places.length)]?.leave()
          }
          expect(slots.live).toBeLessThanOrEqual(total)
          expect(slots.queued).toBeLessThanOrEqual(maxQueued)
          if (slots.live < total) expect(slots.queued).toBe(0)
        }
        for (const place of places) place.leave()
        expect([slots.live, slots.queued]).toEqual([0, 0])
      }),
    )
  })
})
