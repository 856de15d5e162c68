import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { FAKE_TURN_MS } from '../../support/time-limits.ts'
import { ROOT, sceneWith } from './barrier-scene.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('a worker that has not processed what prepared it', () => {
  function preparedWorker() {
    const processing = new Map<string, () => void>()
    const processed = (sessionId: string) => new Promise<void>((resolve) => processing.set(sessionId, resolve))
    const made = sceneWith(processed, 'a', 'b')
    const names = ['s', 'a', 'b'] as const
    for (const name of names) made.attach(`${name}1`, name === 's' ? ROOT.server : ROOT[name], { waiting: false })
    for (const name of names) made.autoAttach(`${name}1`)
    for (const name of names) made.attach(`${name}2`, `${name}1`, { target: 'w', type: 'service_worker' })
    for (const name of names) made.run(`${name}2`)
    return { ...made, emit: (sessionId: string) => processing.get(sessionId)!() }
  }

  test('is waited for longer than for a holder: it has no thread before its script has arrived', async () => {
    const { emit, runs } = preparedWorker()
    emit('s2')
    emit('a2')
    await vi.advanceTimersByTimeAsync(20_000)
    expect(runs()).toEqual([])
    emit('b2')
    await vi.advanceTimersByTimeAsync(0)
    expect(runs()).toEqual(['run s2', 'run a2', 'run b2'])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('is not waited for by a session that ends meanwhile', async () => {
    const { barrier, emit, leave, runs } = preparedWorker()
    emit('s2')
    await vi.advanceTimersByTimeAsync(0)
    barrier.detached('a2')
    expect(runs()).toEqual([])
    leave('b')
    expect(runs()).toEqual(['run s2'])
    emit('b2')
    await vi.advanceTimersByTimeAsync(0)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('is resumed after 30 seconds', async () => {
    const { runs } = preparedWorker()
    await vi.advanceTimersByTimeAsync(29_999)
    expect(runs()).toEqual([])
    await vi.advanceTimersByTimeAsync(1 + FAKE_TURN_MS)
    expect(runs()).toEqual(['run s2', 'run a2', 'run b2'])
    expect(vi.getTimerCount()).toBe(0)
  })
})
