import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '../../../logger.ts'

/** The directory of the browsers of one machine: short, and different for each machine id. */
export function browsersDirectory(tempRoot: string, machineId: string): string {
  return join(tempRoot, `tabwire-${machineId.replace(/[^\w.-]/g, '_')}`)
}

/**
 * Ends browsers that a killed server of this machine left behind, and removes their directories. A process is
 * recognized by its command line, which contains a profile in our directory: process ids are reused. Returns how many
 * were ended.
 */
export async function reapLeftovers(tempRoot: string, machineId: string, logger: Logger): Promise<number> {
  const directory = browsersDirectory(tempRoot, machineId)
  if (!existsSync(directory)) return 0
  const mark = `--user-data-dir=${directory}/`
  let ended = 0
  for (let round = 0; round < 100; round++) {
    const pids = await processesWith(mark)
    if (pids.length === 0) break
    for (const pid of pids) {
      if (kill(pid)) ended++
    }
    await delay(20)
  }
  await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
  logger.info({ directory, ended }, 'removed what an earlier run left behind')
  return ended
}

/** Processes whose command line contains the mark. */
export async function processesWith(mark: string): Promise<number[]> {
  if (!existsSync('/proc/self/cmdline')) {
    const lines = execFileSync('ps', ['-axo', 'pid=,command='], { encoding: 'utf8' }).split('\n')
    return lines.filter((line) => line.includes(mark)).map((line) => Number.parseInt(line, 10))
  }
  const found: number[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      if ((await readFile(`/proc/${name}/cmdline`, 'utf8')).includes(mark)) found.push(Number(name))
    } catch {
      // It has exited since it was listed, or we may not read it.
    }
  }
  return found
}

function kill(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL')
  } catch {
    return false
  }
}
