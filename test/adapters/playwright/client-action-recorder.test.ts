import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ClientActionRecorder, type Outcome } from '../../../src/adapters/playwright/relay/client-action-recorder.ts'
import type { ClientAct } from '../../../src/ports/browser/cdp-client.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function recording() {
  const acts: ClientAct[] = []
  const recorder = new ClientActionRecorder((act) => acts.push(act))
  const key = (type: string, text?: string) => recorder.begin('Input.dispatchKeyEvent', { type, text, key: 'a' }, 'p1')
  const answer = (outcome: Outcome | null) => outcome!.answered(null)
  return { recorder, reported: () => acts.map(({ type, details }) => ({ type, ...details })), key, answer }
}

test('keys are one act however late the page answers to each', () => {
  const { reported, key, answer } = recording()
  for (const letter of 'abc') {
    for (const pressed of [() => key('keyDown', letter), () => key('keyUp')]) {
      const outcome = pressed()
      vi.advanceTimersByTime(4_000)
      answer(outcome)
      vi.advanceTimersByTime(400)
    }
  }
  expect(reported()).toEqual([])
  vi.advanceTimersByTime(100)
  expect(reported()).toEqual([{ type: 'TYPE', text: '•••••• (3 characters)' }])
  expect(vi.getTimerCount()).toBe(0)
})

test('keys with a pause after the answer are two acts', () => {
  const { reported, key, answer } = recording()
  answer(key('keyDown', 'a'))
  vi.advanceTimersByTime(500)
  answer(key('keyDown', 'b'))
  vi.advanceTimersByTime(500)
  expect(reported()).toHaveLength(2)
})

test('turns of the wheel are one act however late the page answers to each', () => {
  const { recorder, reported, answer } = recording()
  for (const deltaY of [30, 40]) {
    const turn = recorder.begin('Input.dispatchMouseEvent', { type: 'mouseWheel', deltaX: 0, deltaY }, 'p1')
    vi.advanceTimersByTime(1_000)
    answer(turn)
  }
  recorder.flush()
  expect(reported()).toEqual([{ type: 'SCROLL', x: 0, y: 70 }])
})

test('keys that are never answered are told after five seconds, and a late answer tells nothing more', () => {
  const { reported, key, answer } = recording()
  const outcome = key('keyDown', 'a')
  vi.advanceTimersByTime(4_999)
  expect(reported()).toEqual([])
  vi.advanceTimersByTime(1)
  expect(reported()).toHaveLength(1)
  answer(outcome)
  expect(vi.getTimerCount()).toBe(0)
  expect(reported()).toHaveLength(1)
})
