import { showFigure } from '../benchmark.ts'
import { NOTES } from '../notes.ts'
import { describeMachine, markdownTable } from '../report.ts'
import type { MachineFinding } from './elsewhere.ts'
import type { LoadOptions, LoadStage } from './load.ts'
import { count, precise, type Projection } from './projection.ts'

export interface ClusterRun {
  findings: readonly MachineFinding[]
  stages: readonly LoadStage[]
  projection: Projection | null
  options: Pick<LoadOptions, 'machines' | 'sessions' | 'subscriptions' | 'lineEveryMs'>
  /** What could not be measured, each with the reason. */
  gaps: readonly string[]
  browserVersion: string
  services: string
  seconds: number
}

const FIGURE_HEADINGS = ['what', 'at its machine', 'at another', 'figure', 'varied', 'must', 'verdict']

function figureRow({ what, baseline, measured, figure, unit, spread, must }: MachineFinding): string[] {
  const show = (value: number) => showFigure(value, unit)
  const varied = `${show(spread[0])} … ${show(spread[1])}`
  return [what, baseline, measured, show(figure), varied, `≤ ${show(must)}`, figure <= must ? 'reached' : 'falls short']
}

const STAGE_HEADINGS = [
  'sessions',
  'subscriptions',
  'placement p50 / p99',
  'line → subscriber at its machine p50 / p99',
  'elsewhere p50 / p99',
  'lines delivered a second',
  'cores: machines',
  'PostgreSQL',
  'NATS',
  'client',
  'transactions a second',
  'a start',
  'messages to / from NATS a second',
  'connections',
]

const both = (measured: { p50: number; p99: number } | null) =>
  measured ? `${precise(measured.p50)} / ${precise(measured.p99)} ms` : '–'

function stageRow(stage: LoadStage): string[] {
  const { usage } = stage
  return [
    count(stage.sessions),
    count(stage.subscriptions),
    both(stage.placementMs),
    both(stage.ownMs),
    both(stage.elsewhereMs),
    precise(stage.delivered),
    usage.machines.map((cores) => cores.toFixed(2)).join(', '),
    usage.postgres.toFixed(2),
    usage.nats.toFixed(2),
    usage.client.toFixed(2),
    precise(usage.transactions),
    stage.transactionsPerStart === null ? '–' : precise(stage.transactionsPerStart),
    `${precise(usage.messagesToNats)} / ${precise(usage.messagesFromNats)}`,
    String(stage.connections),
  ]
}

/** One line, as soon as it is measured. */
export const showFinding = (finding: MachineFinding): string => `  ${figureRow(finding).join(' | ')}`
export function showStage(stage: LoadStage): string {
  const cells = stageRow(stage).map((cell, index) => `${STAGE_HEADINGS[index]} ${cell}`)
  return `  ${cells.join('; ')}; sessions of each machine ${stage.placed.join(', ') || '–'}`
}

/** What was saturated, or that nothing was. */
function endOf(stages: readonly LoadStage[]): string {
  const last = stages.at(-1)
  if (!last) return 'No stage was measured.'
  const at = `${count(last.sessions)} sessions and ${count(last.subscriptions)} subscriptions`
  return last.saturated === null ? `Up to ${at} nothing was saturated.` : `With ${at}, first: ${last.saturated}.`
}

/** A table, or that there is nothing to show in one. */
const tableOf = (headings: readonly string[], rows: readonly string[][]) =>
  rows.length === 0 ? 'Not measured in this run.' : markdownTable(headings, rows)

const listOf = (lines: readonly string[]) => lines.map((line) => `- ${line}`).join('\n')

/** The section of bench/RESULTS.md. */
export function markdownOf(run: ClusterRun): string {
  const { findings, stages, projection, options, gaps, browserVersion, services, seconds } = run
  const { machines, sessions, subscriptions, lineEveryMs } = options
  const noted = findings.filter(({ id }) => NOTES[id]).map(({ id, what }) => `**${what}.** ${NOTES[id]}`)
  const unexplained = findings
    .filter(({ id, figure, must }) => figure > must && !NOTES[id])
    .map(({ what }) => `**${what}.** Falls short; the reason is not known yet.`)
  const projected = projection && [
    markdownTable(['what', 'for each session', '100 machines, 30,000 sessions'], projection.rows),
    listOf(projection.remarks),
  ]
  return [
    '## Several machines',
    `Written by \`npm run bench:cluster\`, which takes about ${Math.ceil(seconds / 60)} minutes. Machine: ${describeMachine(browserVersion, [services])}. The servers, what they share and the client all run on this one.`,
    'Asked at the machine of a session and at another one, in turns:',
    tableOf(FIGURE_HEADINGS, findings.map(figureRow)),
    listOf([...noted, ...unexplained, ...gaps]),
    '### Load',
    `${machines} servers with simulated browsers, up to ${count(sessions)} sessions and ${count(subscriptions)} subscriptions. Each session logs a line every ${lineEveryMs / 1000} s; one of ${machines} subscriptions is at the machine of its session. Placement is \`startSession(waitUntil: RUNNING)\`, at each machine in turn.`,
    tableOf(STAGE_HEADINGS, stages.map(stageRow)),
    endOf(stages),
    '### Projection',
    ...(projected ?? ['Not calculated: that takes a stage without sessions and one with some.']),
  ]
    .filter((part) => part !== '')
    .join('\n\n')
    .concat('\n')
}
