import { expect, test } from 'vitest'
import { QuotaReservations } from '../../src/domain/artifacts/quota-reservations.ts'
import { createLogger } from '../../src/logger.ts'

/** Rooms in a quota of 100 bytes. `answer` settles the oldest query for the used bytes. */
function reservations() {
  const questions: ((used: number | Error) => void)[] = []
  const readUsed = () =>
    new Promise<number>((resolve, reject) => {
      questions.push((used) => (typeof used === 'number' ? resolve(used) : reject(used)))
    })
  const answer = async (used: number | Error) => {
    questions.shift()!(used)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { reservations: new QuotaReservations(100, readUsed, createLogger('silent')), answer }
}

test('a file may have what artifacts and other files that are written leave', async () => {
  const { reservations: all, answer } = reservations()
  const [one, other, stranger] = [all.open('ann'), all.open('ann'), all.open('bob')]
  await answer(30)
  expect(one.grow(40)).toBe(true)
  expect(other.limit).toBe(30)
  expect([other.grow(30), other.grow(31)]).toEqual([true, false])
  expect(one.limit).toBe(39)
  expect(stranger.limit).toBe(100)
  other.release()
  other.release()
  expect(one.limit).toBe(70)
})

test('a file that was kept counts once', async () => {
  const { reservations: all, answer } = reservations()
  const [kept, other] = [all.open('ann'), all.open('ann')]
  await answer(0)
  kept.grow(60)
  expect(other.limit).toBe(40)
  all.used('ann', 60)
  kept.release()
  expect(other.limit).toBe(40)
  all.used('ann', -60)
  expect(other.limit).toBe(100)
})

test('what was read before a file was kept here is stale', async () => {
  const { reservations: all, answer } = reservations()
  const reservation = all.open('ann')
  all.used('ann', 60)
  await answer(0)
  expect(reservation.limit).toBe(40)
})

test('while the store is away, the quota alone bounds', async () => {
  const { reservations: all, answer } = reservations()
  const reservation = all.open('ann')
  await answer(new Error('away'))
  expect([reservation.grow(100), reservation.grow(101)]).toEqual([true, false])
})
