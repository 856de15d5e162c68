import type { Outcome, StageKind } from './stage.ts'

/** What the faults are of: one server on a kind of database, or several machines. */
export type FaultPlace = StageKind | 'machines'

/** Results of one kind of fault, over all its tries in one place. */
export interface FaultRecord {
  name: string
  database: FaultPlace
  tried: number
  survived: number
  lost: number
  disorder: number
  leaks: number
  /** Milliseconds; null if no neighbor was measured. */
  worstP99: number | null
  failures: string[]
}

/** All faults of one place. */
export interface FaultRun {
  place: FaultPlace
  seed: number
  seconds: number
  records: readonly FaultRecord[]
  /** Faults that are impossible here, each with the reason. */
  skipped: readonly string[]
  /** Of a server. */
  peakMegabytes: number
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

export function summaryOf(runs: readonly FaultRun[]): string {
  const records = runs.flatMap((run) => run.records)
  const p99s = records.flatMap(({ worstP99 }) => worstP99 ?? [])
  const peaks = runs.map(({ place, peakMegabytes }) => `${peakMegabytes} MB (${place})`)
  const leftBehind = runs.reduce((all, run) => all + run.leftBehind, 0)
  return [
    `${sum(records, ({ survived }) => survived)} of ${sum(records, ({ tried }) => tried)} faults survived`,
    `${sum(records, ({ lost }) => lost)} entries lost`,
    `${sum(records, ({ disorder }) => disorder)} out of order`,
    `${sum(records, ({ leaks }) => leaks) + leftBehind} leaks`,
    ...(p99s.length > 0 ? [`worst neighbor p99 ${milliseconds(Math.max(...p99s))}`] : []),
    `peak memory of a server ${peaks.join(', ')}`,
  ].join('; ')
}

/** Of the table of a section. */
interface Column {
  heading: string
  of(record: FaultRecord): string | number
}

const COUNTS: readonly Column[] = [
  { heading: 'survived / tried', of: ({ survived, tried }) => `${survived} / ${tried}` },
  { heading: 'entries lost', of: ({ lost }) => lost },
  { heading: 'out of order', of: ({ disorder }) => disorder },
  { heading: 'leaks', of: ({ leaks }) => leaks },
]
const NAME: Column = { heading: 'fault', of: ({ name }) => name }
const DATABASE: Column = { heading: 'database', of: ({ database }) => database }
const NEIGHBOR: Column = { heading: 'worst neighbor p99', of: ({ worstP99 }) => milliseconds(worstP99) }

function section(heading: string, runs: readonly FaultRun[], columns: readonly Column[], explained: string): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`
  const records = runs.flatMap((run) => run.records)
  const rows = records.map((record) => line(columns.map(({ of }) => of(record))))
  const failures = records.flatMap(({ name, database, failures: reasons }) =>
    [...new Set(reasons)].map((reason) => `- **${name}** (${database}): ${reason}`),
  )
  const skipped = runs.flatMap((run) => run.skipped.map((reason) => `- Not tried: ${reason}`))
  const seconds = runs.reduce((all, run) => all + run.seconds, 0)
  const headings = columns.map((column) => column.heading)
  return `## ${heading}

Written by \`npm run faults\` (seed ${runs[0]!.seed}, ${Math.round(seconds / 60)} minutes). ${summaryOf(runs)}.

${explained}

${[line(headings), line(headings.map(() => '---')), ...rows].join('\n')}

${[...failures, ...skipped].join('\n')}
`.replace(/\n+$/, '\n')
}

/** The section of bench/RESULTS.md about one server. */
export const faultSection = (runs: readonly FaultRun[]): string =>
  section(
    'Faults',
    runs,
    [NAME, DATABASE, ...COUNTS, NEIGHBOR],
    `A fault is survived when the server is ready again, a new session can be started and heard, sessions that the fault was not
meant for still run, and those that it was meant for ended with the reason that is true. Entries are lost when a
subscriber had seen them and the log does not hold them, or when lines that a page numbered are neither in the log nor counted as dropped.`,
  )

/** The section of bench/RESULTS.md about several machines. */
export const machineFaultSection = (run: FaultRun): string =>
  section(
    'Faults of several machines',
    [run],
    [NAME, ...COUNTS],
    `Storms over three machines: up to four faults each, which overlap, while clients start sessions, act on them and follow their logs on
every machine. A storm is survived when all machines are alive again, every session of a machine that was not hit continues, each of
them acts and is followed through every machine, every session has one end, and its log is the same on all of them, with every entry
that any follower had, in its order. No page was opened by two browsers, no action was carried out twice, and no session changed its owner once it
ran. What a storm lost is counted at the first of its faults.`,
  )
