import { getPriority } from 'node:os'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { BrowserPriority } from '../../../src/adapters/playwright/launch/browser-priority.ts'

const USUAL = Math.min(19, getPriority() + 14)
const BUSY = 19

let set: number[]
let isGone: boolean

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  onTestFinished(() => void vi.useRealTimers())
  set = []
  isGone = false
})

function startPriority(lasts = Promise.resolve()): BrowserPriority {
  const setGroup = (_: number, niceness: number) => {
    set.push(niceness)
    return lasts
  }
  // No process has this number.
  const priority = new BrowserPriority(2 ** 30, () => isGone, undefined, setGroup)
  onTestFinished(() => priority.dispose())
  return priority
}

/** The given milliseconds, in which the browser takes a share of the server's thread. */
async function pass(priority: BrowserPriority, milliseconds: number, share: number): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += 10) {
    await vi.advanceTimersByTimeAsync(10)
    if (share > 0) priority.spent(10 * share)
  }
  await vi.advanceTimersByTimeAsync(0)
}

test('a browser that says much at once, or talks a little all the time, goes before those that flood', async () => {
  const priority = startPriority()
  priority.spent(39)
  await pass(priority, 60_000, 0.02)
  expect(set).toEqual([USUAL])
})

test('one that floods is low within moments, as long as it does, and a little longer', async () => {
  const priority = startPriority()
  await pass(priority, 200, 0.8)
  expect(set).toEqual([USUAL, BUSY])
  await pass(priority, 60_000, 0.2)
  await pass(priority, 5_000, 0)
  expect(set).toEqual([USUAL, BUSY])
  await pass(priority, 10_000, 0)
  expect(set).toEqual([USUAL, BUSY, USUAL])
})

test('one that floods again and again is low for longer each time, up to about a minute', async () => {
  const priority = startPriority()
  const lowFor: number[] = []
  for (let time = 0; time < 10; time += 1) {
    await pass(priority, 10_000, 0.8)
    const since = performance.now()
    while (set.at(-1) === BUSY) await pass(priority, 100, 0)
    lowFor.push(performance.now() - since)
  }
  expect(lowFor).toEqual(lowFor.toSorted((one, other) => one - other))
  expect(lowFor[0]).toBeLessThan(15_000)
  expect(lowFor.at(-1)).toBeGreaterThan(30_000)
  expect(lowFor.at(-1)).toBeLessThan(90_000)
})

test('what is wanted last is what stays, however long it takes to set', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const priority = startPriority(promise)
  await pass(priority, 200, 0.8)
  expect(set).toEqual([USUAL])
  resolve()
  await pass(priority, 10, 0)
  expect(set).toEqual([USUAL, BUSY])
})

test('nothing is changed once the browser has ended', async () => {
  const priority = startPriority()
  priority.dispose()
  await pass(priority, 1_000, 0.8)
  expect(set).toEqual([USUAL])
  expect(vi.getTimerCount()).toBe(0)
})

test('the number of one that is gone may be that of somebody else', async () => {
  const priority = startPriority()
  isGone = true
  await pass(priority, 1_000, 0.8)
  expect(set).toEqual([USUAL])
})
