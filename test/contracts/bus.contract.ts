import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Bus } from '../../src/ports/machines/bus.ts'

/** What every Bus does. `open` gives two that are connected: those of one machine may be the same. */
export function describeBus(name: string, open: () => Promise<readonly [Bus, Bus]>): void {
  describe(`the bus ${name}`, () => {
    let one: Bus
    let other: Bus
    let opened: readonly Bus[]
    beforeEach(async () => {
      opened = [one, other] = await open()
    })
    afterEach(async () => {
      for (const bus of opened) await bus.close()
    })

    test('wakes who follows the session, here at once and elsewhere soon, and nobody else', async () => {
      const [followed, published] = [randomUUID(), randomUUID()]
      const woken = { here: 0, elsewhere: 0, foreign: 0 }
      one.subscribe(followed, () => (woken.here += 1))
      other.subscribe(followed, () => (woken.elsewhere += 1))
      other.subscribe(randomUUID(), () => (woken.foreign += 1))
      const before = woken.here
      one.publish(followed)
      expect(woken.here).toBe(before + 1)
      await expect.poll(() => woken.elsewhere).toBeGreaterThan(0)
      // Published in this order on the same way: what is to come of the first has come by then.
      const foreign = woken.foreign
      other.subscribe(published, () => (woken.elsewhere = -1))
      one.publish(published)
      await expect.poll(() => woken.elsewhere).toBe(-1)
      expect(woken.foreign).toBe(foreign)
      expect([one.problem, other.problem]).toEqual([null, null])
    })

    test('a wake-up that follows a subscription is not lost, however soon it comes', async () => {
      for (let round = 0; round < 20; round += 1) {
        const sessionId = randomUUID()
        let isWoken = false
        const unsubscribe = other.subscribe(sessionId, () => (isWoken = true))
        one.publish(sessionId)
        await expect.poll(() => isWoken, { interval: 1 }).toBe(true)
        unsubscribe()
      }
    })

    test('who unsubscribed is woken no more, the others of the session are, and doing it twice does nothing', async () => {
      const sessionId = randomUUID()
      let [left, stayed] = [0, 0]
      const unsubscribe = other.subscribe(sessionId, () => (left += 1))
      other.subscribe(sessionId, () => (stayed += 1))
      unsubscribe()
      unsubscribe()
      left = 0
      one.publish(sessionId)
      await expect.poll(() => stayed).toBeGreaterThan(0)
      expect(left).toBe(0)
    })

    test('a listener that throws keeps no other from being woken, nor the publisher from going on', async () => {
      const sessionId = randomUUID()
      let woken = 0
      const faults: unknown[] = []
      const note = (error: unknown) => void faults.push(error)
      process.on('uncaughtException', note)
      try {
        other.subscribe(sessionId, () => {
          throw new Error('a listener of the contract')
        })
        other.subscribe(sessionId, () => (woken += 1))
        one.publish(sessionId)
        await expect.poll(() => woken).toBeGreaterThan(0)
        await expect.poll(() => faults.length).toBeGreaterThan(0)
      } finally {
        process.off('uncaughtException', note)
      }
    })

    test('of a burst, the last is heard, whatever is merged', async () => {
      const sessionId = randomUUID()
      let logged = 0
      let seen = 0
      other.subscribe(sessionId, () => (seen = logged))
      for (; logged < 2_000; logged += 1) one.publish(sessionId)
      one.publish(sessionId)
      await expect.poll(() => seen).toBe(2_000)
    })

    test('after it was closed, nobody is woken, and closing again does nothing', async () => {
      const sessionId = randomUUID()
      let woken = 0
      other.subscribe(sessionId, () => (woken += 1))
      await other.close()
      await other.close()
      woken = 0
      one.publish(sessionId)
      other.publish(sessionId)
      expect(woken).toBe(0)
    })
  })
}
