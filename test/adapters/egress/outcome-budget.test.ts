import { afterEach, expect, test, vi } from 'vitest'
import { OutcomeBudget } from '../../../src/adapters/egress/proxy/outcome-budget.ts'

afterEach(() => {
  vi.useRealTimers()
})

test('a flood of outcomes is cut, and what is cut is counted', () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  const budget = new OutcomeBudget()
  const taken = (attempts: number) => Array.from({ length: attempts }, () => budget.take()).filter(Boolean).length
  expect(taken(1_500)).toBe(1_000)
  expect(budget.unreported).toBe(500)
  vi.advanceTimersByTime(500)
  expect(taken(1_500)).toBe(100)
  vi.advanceTimersByTime(60_000)
  expect(taken(1_500)).toBe(1_000)
  expect(budget.unreported).toBe(500 + 1_400 + 500)
})
