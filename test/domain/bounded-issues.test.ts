import { expect, test } from 'vitest'
import { readSteps } from '../../src/domain/actions/action-input.ts'
import { BadUserInput, ISSUE_LIMITS } from '../../src/domain/kernel/errors.ts'
import { parseStartSession } from '../../src/domain/sessions/input/session-input.ts'

function refusalOf(act: () => unknown): BadUserInput {
  try {
    act()
  } catch (error) {
    if (error instanceof BadUserInput) return error
    throw error
  }
  throw new Error('it was not refused')
}

const issues = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    path: ['steps', index],
    code: 'OUT_OF_RANGE',
    message: 'is too much',
  }))

test('broken rules are told all at once, up to a bound, and then that there are more', () => {
  const most = ISSUE_LIMITS.issues
  expect(new BadUserInput(issues(most)).extensions).toEqual({ issues: issues(most) })
  const more = new BadUserInput(issues(most + 1))
  expect(more.extensions).toEqual({ issues: issues(most), hasMoreIssues: true })
  expect(more.message).toMatch(/steps\.19: is too much; and more$/)
})

test('of what a client said, an issue repeats no more than the beginning', () => {
  const name = `${'n'.repeat(ISSUE_LIMITS.partLength - 1)}😀${'n'.repeat(100_000)}`
  const refused = refusalOf(() => parseStartSession({ extraHeaders: { [name]: 'x' } }))
  expect(refused.message.length).toBeLessThan(1_000)
  expect(String(refused.issues[0]?.path.at(-1)).isWellFormed()).toBe(true)
})

test('headers above their number are not looked through', () => {
  const extraHeaders = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`é${index}`, 1]))
  expect(refusalOf(() => parseStartSession({ extraHeaders })).issues).toEqual([
    { path: ['input', 'extraHeaders'], code: 'TOO_LONG', message: 'must have at most 64 headers' },
  ])
})

test('nor are the items of a list that is too long', () => {
  const values = (count: number) => [{ select: { target: { css: 'a' }, values: Array(count).fill('\0') } }]
  expect(readSteps(values(100)).issues).toHaveLength(100)
  expect(readSteps(values(101)).issues).toEqual([
    {
      path: ['actions', 0, 'select', 'values'],
      code: 'TOO_LONG',
      message: 'must have at most 100 items; it has 101',
    },
  ])
})
