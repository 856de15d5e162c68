import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ROOT, sceneWith } from './barrier-scene.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('a worker that has not processed what prepared it', () => {
  function preparedWorker() {
    const hearing = new Map<string, () => void>()
    const heard = (sessionId: string) => new Promise<void>((resolve) => hearing.set(sessionId, resolve))
    const made = sceneWith(heard, 'a', 'b')
    const names = ['s', 'a', 'b'] as const
    for (const name of names) made.attach(`${name}1`, name === 's' ? ROOT.server : ROOT[name], { waiting: false })
    for (const name of names) made.autoAttach(`${name}1`)
    for (const name of names) made.attach(`${name}2`, `${name}1`, { target: 'w', type: 'service_worker' })
    for (const name of names) made.run(`${name}2`)
    return { ...made, hear: (sessionId: string) => hearing.get(sessionId)!() }
  }

  test('is waited for longer than for a holder: it has no thread before its script has arrived', async () => {
    const { hear, runs } = preparedWorker()
    hear('s2')
    hear('a2')
    await vi.advanceTimersByTimeAsync(20_000)
    expect(runs()).toEqual([])
    hear('b2')
    await vi.advanceTimersByTimeAsync(0)
    expect(runs()).toEqual(['run s2', 'run a2', 'run b2'])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('is not waited for by a session that ends meanwhile', async () => {
    const { barrier, hear, leave, runs } = preparedWorker()
    hear('s2')
    await vi.advanceTimersByTimeAsync(0)
    barrier.detached('a2')
    expect(runs()).toEqual([])
    leave('b')
    expect(runs()).toEqual(['run s2'])
    hear('b2')
    await vi.advanceTimersByTimeAsync(0)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('is resumed after 30 seconds', async () => {
    const { runs } = preparedWorker()
    await vi.advanceTimersByTimeAsync(29_999)
    expect(runs()).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(runs()).toEqual(['run s2', 'run a2', 'run b2'])
    expect(vi.getTimerCount()).toBe(0)
  })
})
