import { expect, test } from 'vitest'
import { sumOfCosts } from '../../src/domain/tasks/running-task.ts'
import type { Cost } from '../../src/ports/tasks/task.ts'

const cost = (usd: number | null): Cost => ({ inputTokens: 100, outputTokens: 10, usd })

test('costs add up to what people would write', () => {
  const five = [1, 2, 3, 4].reduce((sum) => sumOfCosts(sum, cost(0.0003)), cost(0.0003))
  expect(five).toEqual({ inputTokens: 500, outputTokens: 50, usd: 0.0015 })
  expect(sumOfCosts(cost(1e-9), cost(2e-9)).usd).toBe(3e-9)
  expect(sumOfCosts(cost(0.1), cost(null)).usd).toBeNull()
})
