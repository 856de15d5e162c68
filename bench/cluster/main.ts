import { readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { chromium } from 'playwright'
import { findBrowserExecutable } from '../../src/adapters/playwright/launch/browser-executable.ts'
import { writeMachines } from '../results-file.ts'
import { markdownOf, showFinding, showStage } from './cluster-report.ts'
import { measureElsewhere, SHORT, WHOLE, type MachineFinding } from './elsewhere.ts'
import { measureLoad, type LoadStage } from './load.ts'
import { project } from './projection.ts'
import { startSharedServices, type SharedServices } from './shared-services.ts'

const PARTS = ['elsewhere', 'load'] as const
type Part = (typeof PARTS)[number]

const MACHINES = 3
/** Of the time, what the first part may take. */
const SHARE_ELSEWHERE = 0.45
/** Kept for ending what runs. */
const SHARE_CLEANUP = 0.1

const USAGE = `npm run bench:cluster -- [--only ${PARTS.join('|')}] [--short] [--sessions <number>] [--subscriptions <number>] [--minutes <number>]
  --only            one of the parts
  --short           each measurement once, to try it
  --sessions        of the simulated browsers; 3000
  --subscriptions   to their logs; 10000, or as many a session
  --line-seconds    between two lines of a session; 10
  --window-seconds  for which each stage of load is measured; 10
  --minutes         for all of it; 10
A run of all of it is kept in bench/RESULTS.md.`

const DEFAULT_SESSIONS = 3000
const SUBSCRIPTIONS_PER_SESSION = 10_000 / DEFAULT_SESSIONS

interface Choice {
  parts: readonly Part[]
  isShort: boolean
  sessions: number
  subscriptions: number
  lineEveryMs: number
  windowMs: number
  minutes: number
}

function readChoice(): Choice | null {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      short: { type: 'boolean', default: false },
      sessions: { type: 'string', default: String(DEFAULT_SESSIONS) },
      subscriptions: { type: 'string' },
      'line-seconds': { type: 'string', default: '10' },
      'window-seconds': { type: 'string', default: '10' },
      minutes: { type: 'string', default: '10' },
    },
  })
  const parts = PARTS.filter((part) => values.only === undefined || part === values.only)
  const sessions = Number(values.sessions)
  const choice = {
    parts,
    isShort: values.short,
    sessions,
    subscriptions: Number(values.subscriptions ?? Math.round(sessions * SUBSCRIPTIONS_PER_SESSION)),
    lineEveryMs: Number(values['line-seconds']) * 1000,
    windowMs: Number(values['window-seconds']) * 1000,
    minutes: Number(values.minutes),
  }
  const { minutes, lineEveryMs, windowMs, subscriptions } = choice
  const isValid = [sessions, subscriptions, minutes, lineEveryMs, windowMs].every((value) => value > 0)
  return parts.length > 0 && isValid ? choice : null
}

/** Rejects at the moment, on the clock of performance.now, and when the program is interrupted. */
async function withinTime<T>(what: string, until: number, running: Promise<T>): Promise<T> {
  const over = Promise.withResolvers<never>()
  const timer = setTimeout(() => over.reject(new Error(`${what}: the time was over`)), until - performance.now())
  const interrupt = () => over.reject(new Interrupted())
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)
  // It fails once its servers are closed, when nobody waits for it any more.
  running.catch(() => {})
  try {
    return await Promise.race([running, over.promise])
  } finally {
    clearTimeout(timer)
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
}

class Interrupted extends Error {
  override readonly message = 'interrupted'
}

async function browserVersion(): Promise<string> {
  const executablePath = findBrowserExecutable(process.env['TABWIRE_BROWSER_PATH'] || null)
  const browser = await chromium.launch({ executablePath })
  const version = browser.version()
  await browser.close()
  return version
}

type Work = (services: SharedServices, opened: AsyncDisposableStack) => Promise<void>

/**
 * Every part has services of its own: what one leaves behind does not weigh on the next. What the work opens is closed
 * when the time is over, so that it fails.
 */
async function withServices(what: string, until: number, work: Work): Promise<void> {
  await using opened = new AsyncDisposableStack()
  const services = opened.adopt(await startSharedServices(), (started) => started.close())
  await withinTime(what, until, work(services, opened))
}

/** Directories of servers that were still starting when the time was over. */
function removeDirectories(): void {
  for (const name of readdirSync(tmpdir())) {
    if (name.startsWith(`tabwire-bench-${process.pid}-`)) rmSync(join(tmpdir(), name), { recursive: true, force: true })
  }
}

async function main(): Promise<number> {
  const choice = readChoice()
  if (!choice) {
    console.error(USAGE)
    return 2
  }
  const begunAt = performance.now()
  const totalMs = choice.minutes * 60_000
  const findings: MachineFinding[] = []
  const stages: LoadStage[] = []
  const gaps: string[] = []
  const described: { services: string; maxConnections: number } = { services: '', maxConnections: 0 }
  let isInterrupted = false
  const measure = async (part: Part, partUntil: number, work: Work) => {
    if (!choice.parts.includes(part) || isInterrupted) return
    console.log(`${part}:`)
    try {
      await withServices(part, partUntil, (services, opened) => {
        described.services = services.description
        described.maxConnections = services.maxConnections
        return work(services, opened)
      })
    } catch (error) {
      isInterrupted ||= error instanceof Interrupted
      gaps.push(`Not all of "${part}" was measured: ${(error as Error).message}.`)
      console.log(`  ${gaps.at(-1)}`)
    }
  }
  const until = begunAt + totalMs * (1 - SHARE_CLEANUP)
  const elsewhereUntil = choice.parts.length === 1 ? until : begunAt + totalMs * SHARE_ELSEWHERE
  await measure('elsewhere', elsewhereUntil, (services, opened) =>
    measureElsewhere(services, opened, choice.isShort ? SHORT : WHOLE, (finding) => {
      findings.push(finding)
      console.log(showFinding(finding))
    }),
  )
  const options = { machines: MACHINES, ...choice, until }
  await measure('load', until, (services, opened) =>
    measureLoad(services, opened, options, (stage) => {
      stages.push(stage)
      console.log(showStage(stage))
      if (stage.saturated !== null) console.log(`  saturated: ${stage.saturated}`)
    }),
  )
  const section = markdownOf({
    findings,
    stages,
    projection: project(stages, MACHINES, described.maxConnections),
    options,
    gaps,
    browserVersion: await browserVersion(),
    services: described.services,
    seconds: (performance.now() - begunAt) / 1000,
  })
  console.log(`\n${section}`)
  const isWhole = choice.parts.length === PARTS.length && !choice.isShort && choice.sessions === DEFAULT_SESSIONS
  if (isWhole && !isInterrupted) writeMachines(section)
  return gaps.length === 0 ? 0 : 1
}

const exitCode = await main()
removeDirectories()
// Work that was given up may still wait for something. What was printed is flushed before.
process.stdout.write('', () => process.exit(exitCode))
