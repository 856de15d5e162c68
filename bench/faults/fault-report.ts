import type { Outcome, StageKind } from './stage.ts'

/** Results of one kind of fault, over all its tries on one database. */
export interface FaultRecord {
  name: string
  database: StageKind
  tried: number
  survived: number
  lost: number
  disorder: number
  leaks: number
  /** Milliseconds; null if no neighbor was measured. */
  worstP99: number | null
  failures: string[]
}

export interface FaultRun {
  seed: number
  seconds: number
  records: readonly FaultRecord[]
  /** Faults that are impossible here, each with the reason. */
  skipped: readonly string[]
  peakMegabytes: Readonly<Partial<Record<StageKind, number>>>
  /** Processes and folders left behind by the servers. */
  leftBehind: number
}

export function noteOutcome(record: FaultRecord, outcome: Outcome, sparesNeighbor: boolean): void {
  record.tried += 1
  if (outcome.failure === null) record.survived += 1
  else record.failures.push(outcome.failure)
  record.lost += outcome.lost
  record.disorder += outcome.disorder
  record.leaks += outcome.leaks
  if (sparesNeighbor && outcome.neighborP99 !== null) {
    record.worstP99 = Math.max(record.worstP99 ?? 0, outcome.neighborP99)
  }
}

const sum = (records: readonly FaultRecord[], of: (record: FaultRecord) => number) =>
  records.reduce((total, record) => total + of(record), 0)

export function isClean({ records, leftBehind }: FaultRun): boolean {
  return (
    records.length > 0 &&
    leftBehind === 0 &&
    records.every(({ tried, survived, lost, disorder, leaks }) => survived === tried && lost + disorder + leaks === 0)
  )
}

const milliseconds = (value: number | null) => (value === null ? '–' : `${Math.round(value)} ms`)

export function summaryOf(run: FaultRun): string {
  const { records, leftBehind, peakMegabytes } = run
  const p99s = records.flatMap(({ worstP99 }) => worstP99 ?? [])
  const peaks = Object.entries(peakMegabytes).map(([kind, megabytes]) => `${megabytes} MB (${kind})`)
  return [
    `${sum(records, ({ survived }) => survived)} of ${sum(records, ({ tried }) => tried)} faults survived`,
    `${sum(records, ({ lost }) => lost)} entries lost`,
    `${sum(records, ({ disorder }) => disorder)} out of order`,
    `${sum(records, ({ leaks }) => leaks) + leftBehind} leaks`,
    `worst neighbor p99 ${milliseconds(p99s.length === 0 ? null : Math.max(...p99s))}`,
    `peak memory of the server ${peaks.join(', ')}`,
  ].join('; ')
}

const HEADINGS = [
  'fault',
  'database',
  'survived / tried',
  'entries lost',
  'out of order',
  'leaks',
  'worst neighbor p99',
]

/** The section of bench/RESULTS.md. */
export function faultSection(run: FaultRun): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const rows = run.records.map((record) =>
    line([
      record.name,
      record.database,
      `${record.survived} / ${record.tried}`,
      String(record.lost),
      String(record.disorder),
      String(record.leaks),
      milliseconds(record.worstP99),
    ]),
  )
  const failures = run.records.flatMap(({ name, database, failures: reasons }) =>
    [...new Set(reasons)].map((reason) => `- **${name}** (${database}): ${reason}`),
  )
  const skipped = run.skipped.map((reason) => `- Not tried: ${reason}`)
  return `## Faults

Written by \`npm run faults\` (seed ${run.seed}, ${Math.round(run.seconds / 60)} minutes). ${summaryOf(run)}.

A fault is survived when the server is ready again, a new session can be started and heard, sessions that the fault was not
meant for still run, and those that it was meant for ended with the reason that is true. Entries are lost when a
subscriber had seen them and the log does not hold them, or when lines that a page numbered are neither in the log nor counted as dropped.

${[line(HEADINGS), line(HEADINGS.map(() => '---')), ...rows].join('\n')}

${[...failures, ...skipped].join('\n')}
`.replace(/\n+$/, '\n')
}
