import { expect, test } from 'vitest'
import { Readiness } from '../../src/domain/sessions/readiness.ts'

test('answers in time whatever hangs, asks what hangs only once, and says each problem once', async () => {
  let asked = 0
  const hanging = Promise.withResolvers<null>()
  const readiness = new Readiness([
    {
      silence: 'the one does not answer',
      problem: () => {
        asked += 1
        return hanging.promise
      },
    },
    { silence: 'never', problem: () => Promise.reject(new Error('the other is broken')) },
    { silence: 'never', problem: () => 'the other is broken' },
    { silence: 'never', problem: () => null },
  ])
  const missing = ['the one does not answer', 'the other is broken']
  // Concurrent callers share the response, later ones share the query.
  expect(await Promise.all([readiness.ask(), readiness.ask()])).toEqual([
    { ready: false, missing, degraded: [] },
    { ready: false, missing, degraded: [] },
  ])
  expect(await readiness.ask()).toEqual({ ready: false, missing, degraded: [] })
  expect(asked).toBe(1)
  hanging.resolve(null)
  await expect.poll(() => readiness.ask()).toEqual({ ready: false, missing: ['the other is broken'], degraded: [] })
})

test('what is minor is told, and sessions can be started all the same', async () => {
  const readiness = new Readiness([
    { silence: 'never', problem: () => 'slower than usual', isMinor: true },
    { silence: 'never', problem: () => null },
  ])
  expect(await readiness.ask()).toEqual({ ready: true, missing: [], degraded: ['slower than usual'] })
})
