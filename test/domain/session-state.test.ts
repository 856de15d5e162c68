import { describe, expect, test } from 'vitest'
import {
  isEnded,
  transition,
  type SessionState,
  type SessionStateEvent,
} from '../../src/domain/kernel/session-state.ts'
import { SESSION_END_REASONS } from '../../src/ports/log/log-entry.ts'

const states: Record<string, SessionState> = {
  creating: { status: 'CREATING', endReason: null },
  running: { status: 'RUNNING', endReason: null },
  closed: { status: 'CLOSED', endReason: 'TERMINATED' },
  timedOut: { status: 'TIMED_OUT', endReason: 'IDLE_TIMEOUT' },
  failed: { status: 'FAILED', endReason: 'BROWSER_CRASHED' },
}

/** The whole table: the result of each event in each live state; ended states are final. */
const table: Record<string, { creating: string | null; running: string | null }> = {
  started: { creating: 'RUNNING', running: null },
  TERMINATED: { creating: 'CLOSED', running: 'CLOSED' },
  SERVER_SHUTDOWN: { creating: 'CLOSED', running: 'CLOSED' },
  IDLE_TIMEOUT: { creating: null, running: 'TIMED_OUT' },
  MAX_DURATION: { creating: 'TIMED_OUT', running: 'TIMED_OUT' },
  LAUNCH_FAILED: { creating: 'FAILED', running: null },
  BROWSER_CRASHED: { creating: null, running: 'FAILED' },
  BROWSER_MISBEHAVED: { creating: null, running: 'FAILED' },
  INTERNAL_ERROR: { creating: 'FAILED', running: 'FAILED' },
  MACHINE_LOST: { creating: 'FAILED', running: 'FAILED' },
  TASK_COMPLETED: { creating: null, running: 'CLOSED' },
  TASK_FAILED: { creating: null, running: 'FAILED' },
}

const events: [string, SessionStateEvent][] = [
  ['started', { type: 'started' }],
  ...SESSION_END_REASONS.map((reason): [string, SessionStateEvent] => [reason, { type: 'ended', reason }]),
]

describe('the life of a session', () => {
  test('the table names every event', () => {
    expect(events.map(([name]) => name).toSorted()).toEqual(Object.keys(table).toSorted())
  })

  for (const [name, event] of events) {
    for (const from of ['creating', 'running'] as const) {
      test(`${name} while ${from}`, () => {
        const next = transition(states[from]!, event)
        expect(next?.status ?? null).toBe(table[name]![from])
        expect(next?.endReason ?? null).toBe(next && event.type === 'ended' ? event.reason : null)
      })
    }
    for (const from of ['closed', 'timedOut', 'failed']) {
      test(`${name} after ${from} changes nothing`, () => {
        expect(isEnded(states[from]!.status)).toBe(true)
        expect(transition(states[from]!, event)).toBeNull()
      })
    }
  }
})
