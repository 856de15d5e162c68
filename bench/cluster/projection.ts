import type { LoadStage } from './load.ts'
import { CORES, type Usage } from './usage.ts'

/** The installation that is projected. */
const MACHINES = 100
const SESSIONS = 30_000

/** How often each machine reads the list of all, a second. */
const HEARTBEATS = 0.5

export interface Projection {
  /** What one session costs, and what it would be in all. */
  rows: [what: string, aSession: string, inAll: string][]
  /** Sentences: what ends first, and what grows otherwise than with the sessions. */
  remarks: string[]
}

/**
 * Linear: what an idle machine costs, times machines, and what a session costs beyond that, times sessions. Null: there
 * are no two stages to calculate that from.
 */
export function project(stages: readonly LoadStage[], machines: number, maxConnections: number): Projection | null {
  const idle = stages.find(({ sessions }) => sessions === 0)
  const loaded = stages.filter(({ sessions }) => sessions > 0)
  const basis = loaded.findLast(({ saturated }) => saturated === null) ?? loaded.at(-1)
  if (!idle || !basis) return null
  const costOf = (read: (usage: Usage) => number) => {
    const ofSession = (read(basis.usage) - read(idle.usage)) / basis.sessions
    return { ofSession, inAll: (read(idle.usage) / machines) * MACHINES + ofSession * SESSIONS }
  }
  const row = (what: string, read: (usage: Usage) => number, unit: string, factor = 1): Projection['rows'][number] => {
    const { ofSession, inAll } = costOf(read)
    return [
      what,
      `${precise(ofSession * factor)} ${unit}`.trim(),
      factor === 1 ? precise(inAll) : `${precise(inAll)} cores`,
    ]
  }
  const threads = (usage: Usage) => usage.machines.reduce((sum, cores) => sum + cores, 0)
  const perMachine = costOf(threads).inAll / MACHINES
  const connections = basis.connections / machines
  const fit = Math.floor(maxConnections / connections)
  const postgres = costOf(({ postgres: cores }) => cores).inAll
  const ofStart = stages.findLast(({ transactionsPerStart }) => transactionsPerStart !== null)?.transactionsPerStart
  return {
    rows: [
      row('transactions of PostgreSQL a second', ({ transactions }) => transactions, ''),
      row('rows written a second', ({ rowsWritten }) => rowsWritten, ''),
      row('messages to NATS a second', ({ messagesToNats }) => messagesToNats, ''),
      row('messages from NATS a second', ({ messagesFromNats }) => messagesFromNats, ''),
      row('PostgreSQL, processor time', ({ postgres: cores }) => cores, 'ms a second', 1000),
      row('NATS, processor time', ({ nats }) => nats, 'ms a second', 1000),
      row('servers, processor time', threads, 'ms a second', 1000),
      ['connections to PostgreSQL', `${precise(connections)} a machine`, precise(connections * MACHINES)],
      [
        'subscriptions of NATS',
        precise(basis.natsSubscriptions / basis.sessions),
        precise((basis.natsSubscriptions / basis.sessions) * SESSIONS),
      ],
    ],
    remarks: [
      `Calculated from the stage of ${count(basis.sessions)} sessions and that of none, as if all of it grew with the sessions and the machines, with ${precise(basis.subscriptions / basis.sessions)} subscriptions for each session. Here one of ${machines} of these is at the machine of its session, there one of ${MACHINES}: reading costs that much more.`,
      fit < MACHINES
        ? `First bottleneck: connections to PostgreSQL. ${fit} machines take the ${maxConnections} that it allows (\`max_connections\`).`
        : `The ${count(maxConnections)} connections that PostgreSQL allows (\`max_connections\`) suffice for ${count(fit)} machines.`,
      `Then processors: PostgreSQL would use ${precise(postgres)} cores like the ${CORES} here, and each machine ${precise(perMachine)} of the one that its thread can use${perMachine > 1 ? ': it would take more machines' : ''}.`,
      `Two things grow faster than that. At each heartbeat each machine reads the list of all: ${count(MACHINES * MACHINES * HEARTBEATS)} rows a second. Each start wakes all machines, so it takes up to ${MACHINES - machines} statements more than here${ofStart == null ? '' : ` (${precise(ofStart)} transactions)`}.`,
    ],
  }
}

export const count = (value: number): string => Math.round(value).toLocaleString('en')

export function precise(value: number): string {
  if (Math.abs(value) >= 100) return count(value)
  return Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2)
}
