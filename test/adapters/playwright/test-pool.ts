import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, vi } from 'vitest'
import { findBrowserExecutable } from '../../../src/adapters/playwright/launch/browser-executable.ts'
import {
  createBrowserPool,
  type BrowserPoolOptions,
  type SandboxedBrowserPool,
} from '../../../src/adapters/playwright/session/browser-pool.ts'
import { browsersDirectory } from '../../../src/adapters/playwright/launch/orphan-reaper.ts'
import { DEFAULT_OPTIONS } from '../../../src/adapters/playwright/launch/open-browser.ts'
import { createLogger } from '../../../src/logger.ts'
import type { BrowserOptions, BrowserSession } from '../../../src/ports/browser/browser.ts'
import { WAIT_LIMITS, NO_DEADLINE } from '../../support/time-limits.ts'
import { RecordingRecorder } from './recording-recorder.ts'

export interface TestPool {
  pool: SandboxedBrowserPool
  /** The directory that holds the directories of its browsers. */
  directory: string
  /** A session with a recorder of its own. */
  start(options?: Partial<BrowserOptions>): Promise<{ session: BrowserSession; recorder: RecordingRecorder }>
  /** Main processes of its browsers. */
  browsers(): number[]
  /** All processes of its browsers, renderers too. */
  processes(): number[]
  /** Closes the pool and expects that no processes and directories are left. */
  close(): Promise<void>
}

export const logger = createLogger('silent')

/** Processes whose command line contains all of the texts; zombies have none. */
export function processesWith(...parts: string[]): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
        return parts.every((part) => command.includes(part))
      } catch {
        return false
      }
    })
}

/** Children, grandchildren and so on of a process that are alive. */
function descendantsOf(ancestor: number): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const [state, parent] = readFileSync(`/proc/${name}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')
      if (state !== 'Z') parents.set(Number(name), Number(parent))
    } catch {
      // It has ended since it was listed.
    }
  }
  const isBelow = (pid: number | undefined): boolean => {
    const parent = pid === undefined ? undefined : parents.get(pid)
    return parent !== undefined && (parent === ancestor || isBelow(parent))
  }
  return [...parents.keys()].filter(isBelow)
}

export async function startTestPool(overrides: Partial<BrowserPoolOptions> = {}): Promise<TestPool> {
  const tempRoot = overrides.tempRoot ?? (await mkdtemp(join(tmpdir(), 'tw-')))
  const machineId = overrides.machineId ?? randomUUID()
  // Browsers of other users must be able to traverse it, like the system's own folder.
  if (overrides.tempRoot === undefined) await chmod(tempRoot, 0o711)
  const executable = findBrowserExecutable(process.env['TABWIRE_BROWSER_PATH'] ?? null)
  const pool = await createBrowserPool({
    executable,
    sandbox: 'auto',
    warm: 1,
    tempRoot,
    tempLimitBytes: 8 * 1024 ** 3,
    machineId,
    bodyWaitMs: WAIT_LIMITS.timeout,
    logger,
    ...overrides,
  })
  const directory = browsersDirectory(tempRoot, machineId)
  const mark = `--user-data-dir=${directory}/`
  const browsers = () =>
    processesWith(mark).filter((pid) => !/--type=/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8')))
  const processes = () => {
    const mains = browsers()
    return [...mains, ...mains.flatMap(descendantsOf)]
  }
  return {
    pool,
    directory,
    async start(options = {}) {
      const recorder = new RecordingRecorder()
      const session = await pool.acquire({ ...DEFAULT_OPTIONS, ...options }, recorder, NO_DEADLINE)
      return { session, recorder }
    },
    browsers,
    processes,
    async close() {
      await pool.close()
      // Under any name: ffmpeg has the names of its output files on its command line.
      await vi.waitFor(() => expect(processesWith(`${directory}/`)).toEqual([]), WAIT_LIMITS)
      expect(existsSync(directory)).toBe(false)
      await rm(tempRoot, { recursive: true, force: true })
    },
  }
}
