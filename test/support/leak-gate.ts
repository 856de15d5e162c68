import { readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect } from 'vitest'
import { WAIT_LIMITS } from './time-limits.ts'

/** Everything that an app may leave behind: child processes, temporary directories, timers, sockets, workers. */
interface Footprint {
  processes: string[]
  directories: string[]
  resources: Record<string, number>
}

async function descendants(): Promise<string[]> {
  const parents = new Map<number, { parent: number; command: string }>()
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    // A process may end between being listed and being read.
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => null)
    const match = stat && /^\d+ \((.*)\) (\S) (\d+)/s.exec(stat)
    if (match && match[2] !== 'Z') parents.set(Number(name), { parent: Number(match[3]), command: match[1]! })
  }
  const isOurs = (pid: number): boolean => {
    const parent = parents.get(pid)?.parent
    return parent !== undefined && (parent === process.pid || isOurs(parent))
  }
  return [...parents].filter(([pid]) => isOurs(pid)).map(([pid, { command }]) => `${command} (${pid})`)
}

async function footprint(): Promise<Footprint> {
  const resources: Record<string, number> = {}
  for (const name of process.getActiveResourcesInfo()) {
    // The test runner's own pipes and file reads come and go.
    if (
      ['Timeout', 'TCPSocketWrap', 'TCPServerWrap', 'PipeWrap', 'ProcessWrap', 'MessagePort', 'Worker'].includes(name)
    ) {
      resources[name] = (resources[name] ?? 0) + 1
    }
  }
  return { processes: await descendants(), directories: await ownDirectories(), resources }
}

/**
 * Other files run concurrently and have directories with the same names: this process owns those that carry its
 * number or belong to an app that it started.
 */
async function ownDirectories(): Promise<string[]> {
  const names = await readdir(tmpdir())
  return names.filter((name) => {
    const path = join(tmpdir(), name)
    return name.startsWith(`tabwire-db-${process.pid}-`) || [...startedIn].some((own) => path.startsWith(own))
  })
}

/** Where the apps of this process keep the data and browser profiles that they must remove. */
const startedIn = new Set<string>()

/** Called for every app that a test starts in this process, so that the gate sees its files in `/tmp`. */
export async function watchDirectoriesOf(dataDir: string): Promise<void> {
  // Files beside it with the same name belong to it as well.
  startedIn.add(dataDir)
  const machineId = (await readFile(join(dataDir, 'machine-id'), 'utf8')).trim()
  startedIn.add(join(tmpdir(), `tabwire-${machineId}`))
}

/**
 * Call at the top of an end-to-end file: after its last test, once its own hooks have closed everything they opened,
 * nothing may be left.
 */
export function leakGate(): void {
  let before: Footprint
  beforeAll(async () => {
    before = await footprint()
  })
  afterAll(async () => {
    const left = async () => {
      const after = await footprint()
      return {
        processes: after.processes.filter((name) => !before.processes.includes(name)),
        directories: after.directories.filter((name) => !before.directories.includes(name)),
        resources: Object.entries(after.resources).filter(([name, count]) => count > (before.resources[name] ?? 0)),
      }
    }
    const clean = { processes: [], directories: [], resources: [] }
    // No helper that waits with timers of its own: they would be counted.
    const waitUntil = performance.now() + WAIT_LIMITS.timeout
    while (performance.now() < waitUntil && JSON.stringify(await left()) !== JSON.stringify(clean)) await pause(50)
    expect(await left()).toEqual(clean)
  })
}
