import { afterEach, expect, test, vi } from 'vitest'
import { atTime } from '../../src/domain/kernel/at-time.ts'

afterEach(() => vi.useRealTimers())

test('waits for a time that is farther away than a timer can wait, and for one that has passed only until soon', () => {
  vi.useFakeTimers()
  const [far, past, cancelled] = [vi.fn(), vi.fn(), vi.fn()]
  const days = 30 * 24 * 60 * 60 * 1000
  atTime(Date.now() + days, far)
  atTime(Date.now() - 1000, past)
  atTime(Date.now() + days, cancelled)()
  expect(past).not.toHaveBeenCalled()
  vi.advanceTimersByTime(1)
  expect(past).toHaveBeenCalledOnce()
  vi.advanceTimersByTime(days - 2)
  expect(far).not.toHaveBeenCalled()
  vi.advanceTimersByTime(1)
  expect(far).toHaveBeenCalledOnce()
  vi.advanceTimersByTime(days)
  expect(far).toHaveBeenCalledOnce()
  expect(cancelled).not.toHaveBeenCalled()
})

test('a timer that fires a moment early is no reason to call back before the time', () => {
  vi.useFakeTimers()
  const called = vi.fn()
  const time = Date.now() + 1000
  atTime(time, called)
  // The clock of the system is behind that of timers.
  vi.setSystemTime(Date.now() - 1)
  vi.advanceTimersByTime(1000)
  expect(Date.now()).toBe(time - 1)
  expect(called).not.toHaveBeenCalled()
  vi.advanceTimersByTime(1)
  expect(called).toHaveBeenCalledOnce()
})
