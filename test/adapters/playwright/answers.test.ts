import type { Page } from 'playwright'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { answers } from '../../../src/adapters/playwright/cdp/targets/page-answers.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A page that responds when the test says so. */
function scene() {
  const answer = Promise.withResolvers<unknown>()
  const free = Promise.withResolvers<void>()
  const page = { evaluate: () => answer.promise } as unknown as Page
  return {
    page,
    answer: () => answer.resolve(true),
    free: free.resolve,
    pausedTargets: { whenResumed: () => free.promise },
  }
}

test('a page that does not answer in time hangs', async () => {
  const { page } = scene()
  const asked = answers(page, 500, { whenResumed: () => null })
  await vi.advanceTimersByTimeAsync(500)
  expect(await asked).toBe(false)
})

test('one that stands still for a held popup does not, if it answers after that', async () => {
  const { page, pausedTargets, free, answer } = scene()
  const asked = answers(page, 500, pausedTargets)
  await vi.advanceTimersByTimeAsync(4_000)
  free()
  await vi.advanceTimersByTimeAsync(400)
  answer()
  expect(await asked).toBe(true)
})

test('one that does not answer then either hangs, and what is held without end is not waited for without end', async () => {
  const freed = scene()
  const asked = answers(freed.page, 500, freed.pausedTargets)
  await vi.advanceTimersByTimeAsync(1_000)
  freed.free()
  await vi.advanceTimersByTimeAsync(500)
  expect(await asked).toBe(false)
  const { page, pausedTargets } = scene()
  const forEver = answers(page, 500, pausedTargets)
  await vi.advanceTimersByTimeAsync(6_000)
  expect(await forEver).toBe(false)
})
