import { arch, availableParallelism, platform, totalmem } from 'node:os'
import { readFileSync } from 'node:fs'
import { showFigure, verdictOf, type Finding } from './benchmark.ts'
import { CPU_OWNERS, type CpuPhase, type CpuSeconds } from './cpu-time.ts'
import { NOTES } from './notes.ts'

/** All findings of one benchmark on one database. */
export interface BenchmarkReport {
  benchmark: string
  database: string
  findings: Finding[]
  cpu: Record<CpuPhase, CpuSeconds>
}

const FIGURE_HEADINGS = ['what', 'database', 'baseline', 'measured', 'figure', 'varied', 'must', 'aim', 'verdict']

function rowOf({ database }: BenchmarkReport, finding: Finding): string[] {
  const { what, baseline, measured, figure, unit, spread, must, aim } = finding
  const show = (value: number) => showFigure(value, unit)
  const varied = `${show(spread[0])} … ${show(spread[1])}`
  return [
    what,
    database,
    baseline,
    measured,
    show(figure),
    varied,
    `≤ ${show(must)}`,
    `≤ ${show(aim)}`,
    verdictOf(finding),
  ]
}

const figureRows = (reports: readonly BenchmarkReport[]) =>
  reports.flatMap((report) => report.findings.map((finding) => rowOf(report, finding)))

const CPU_HEADINGS = ['benchmark', 'database', 'phase', ...CPU_OWNERS]

const cpuRows = (reports: readonly BenchmarkReport[]) =>
  reports.flatMap(({ benchmark, database, cpu }) =>
    (['baseline', 'measured'] as const)
      .filter((phase) => CPU_OWNERS.some((owner) => cpu[phase][owner] > 0))
      .map((phase) => [benchmark, database, phase, ...CPU_OWNERS.map((owner) => cpu[phase][owner].toFixed(2))]),
  )

function columns(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, index) => Math.max(heading.length, ...rows.map((row) => row[index]!.length)))
  const line = (cells: readonly string[]) => cells.map((cell, index) => cell.padEnd(widths[index]!)).join('  ')
  return [line(headings), widths.map((width) => '─'.repeat(width)).join('  '), ...rows.map(line)].join('\n')
}

export function markdownTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(headings), line(headings.map(() => '---')), ...rows.map(line)].join('\n')
}

/** Prints the run to the terminal. */
export function printReports(reports: readonly BenchmarkReport[]): void {
  console.log(`\n${columns(FIGURE_HEADINGS, figureRows(reports))}`)
  console.log(`\nCPU seconds\n${columns(CPU_HEADINGS, cpuRows(reports))}`)
}

/** The machine in general terms, without identifying details. */
export function describeMachine(browserVersion: string, databases: readonly string[]): string {
  const gigabytes = Math.round(totalmem() / 2 ** 30)
  return [
    `${availableParallelism()} cores (shared with whatever else runs there), ${gigabytes} GB of memory, ${systemName()} on ${arch()}`,
    `Node ${process.versions.node}`,
    `Chromium ${browserVersion}`,
    ...databases,
  ].join('; ')
}

function systemName(): string {
  if (platform() !== 'linux') return platform()
  try {
    return /^PRETTY_NAME="?([^"\n]+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux'
  } catch {
    return 'Linux'
  }
}

export interface Run {
  reports: readonly BenchmarkReport[]
  browserVersion: string
  databases: readonly string[]
  seconds: number
}

/** The run as stored in bench/RESULTS.md. */
export function markdownOf({ reports, browserVersion, databases, seconds }: Run): string {
  const findings = reports.flatMap((report) => report.findings.map((finding) => ({ report, finding })))
  const short = findings.filter(({ finding }) => verdictOf(finding) === 'falls short')
  const noted = [...new Set(findings.map(({ finding }) => finding.id))].filter((id) => NOTES[id])
  const noteOf = (id: string) => {
    const { finding } = findings.find((other) => other.finding.id === id)!
    return `- **${finding.what}.** ${NOTES[id]}`
  }
  const withoutReason = short
    .filter(({ finding }) => !NOTES[finding.id])
    .map(
      ({ report, finding }) => `- **${finding.what}** (${report.database}): falls short; the reason is not known yet.`,
    )
  return `# Results of the last full run

Written by \`npm run bench\`, which takes about ${Math.ceil(seconds / 60)} minutes. Do not edit: notes on the numbers are kept in \`bench/notes.ts\`.

Machine: ${describeMachine(browserVersion, databases)}.

Each number stands beside its baseline, measured in the same run and in turn with it, so that what else the machine does
falls on both. The figure is what \`must\` and \`aim\` are about: a ratio (×), a difference (ms more) or a slope (MB a session).
\`varied\` tells the least and the greatest figure of the parts of the run.

${markdownTable(FIGURE_HEADINGS, figureRows(reports))}

${[...noted.map(noteOf), ...withoutReason].join('\n') || 'Every number reaches what it must.'}

## CPU seconds by process

Of everything that the benchmark did in its phases of either kind, browsers starting and ending included. The client is
the process of the benchmarks: it subscribes and asks, serves the pages, and runs the bare Playwright of the baselines.

${markdownTable(CPU_HEADINGS, cpuRows(reports))}
`
}
