import { describe, expect, test } from 'vitest'
import type { LoadStage } from '../bench/cluster/load.ts'
import { project } from '../bench/cluster/projection.ts'
import { withPart } from '../bench/results-file.ts'

describe('bench/RESULTS.md', () => {
  const FAULTS = '## Faults\n\nnone\n\n### Of the last run\n\n## Faults of others\n'
  const WHOLE = `# Results\n\n## CPU seconds\n\n1\n\n## Several machines\n\n| a |\n\n${FAULTS}`

  test('each program replaces its part alone', () => {
    expect(withPart(WHOLE, 'benchmarks', '# New')).toBe(`# New\n\n## Several machines\n\n| a |\n\n${FAULTS}`)
    expect(withPart(WHOLE, '## Several machines', '## Several machines\n\nnew\n')).toBe(WHOLE.replace('| a |', 'new'))
    expect(withPart(WHOLE, '## Faults', '## Faults\n\nsome')).toBe(WHOLE.replace(FAULTS, '## Faults\n\nsome\n'))
  })

  test('parts that are not there yet come in their order', () => {
    const withFaults = withPart('', '## Faults', '## Faults\n\nsome')
    expect(withFaults).toBe('## Faults\n\nsome\n')
    const withMachines = withPart(withFaults, '## Several machines', '## Several machines\n\n1')
    expect(withMachines).toBe('## Several machines\n\n1\n\n## Faults\n\nsome\n')
    expect(withPart(withMachines, 'benchmarks', '# Results')).toBe(`# Results\n\n${withMachines}`)
  })
})

describe('the projection of a cluster', () => {
  const stage = (sessions: number, load: number, saturated: string | null): LoadStage => ({
    sessions,
    subscriptions: sessions * 3,
    placementMs: null,
    transactionsPerStart: sessions > 0 ? 9 : null,
    placed: [],
    ownMs: null,
    elsewhereMs: null,
    delivered: 0,
    connections: 30,
    natsSubscriptions: sessions * 3,
    saturated,
    usage: {
      machines: [load, load, load],
      postgres: load,
      nats: 0,
      client: 0,
      transactions: 30 + sessions / 2,
      rowsWritten: 0,
      messagesToNats: 0,
      messagesFromNats: 0,
    },
  })

  test('multiplies what a machine and a session cost, by the last stage that was not saturated', () => {
    const stages = [stage(0, 0.03, null), stage(300, 0.33, null), stage(600, 5, 'the cores')]
    const { rows, remarks } = project(stages, 3, 100)!
    const inAll = Object.fromEntries(rows.map(([what, , all]) => [what, all]))
    // 10 a second of each of 100 machines, half a one of each of 30,000 sessions.
    expect(inAll['transactions of PostgreSQL a second']).toBe('16,000')
    // 0.01 of each machine, 1 ms of each session.
    expect(inAll['PostgreSQL, processor time']).toBe('31.0 cores')
    expect(inAll['connections to PostgreSQL']).toBe('1,000')
    expect(remarks.join('\n')).toContain('First bottleneck: connections to PostgreSQL. 10 machines')
    expect(remarks.join('\n')).toContain('up to 97 statements more than here (9.00 transactions)')
  })

  test('is none without a stage of no sessions, and one with some', () => {
    expect(project([stage(300, 1, null)], 3, 100)).toBeNull()
    expect(project([stage(0, 0, null)], 3, 100)).toBeNull()
  })
})
