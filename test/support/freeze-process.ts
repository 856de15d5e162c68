import { readdir, readFile } from 'node:fs/promises'
import { expect } from 'vitest'

/**
 * Suspends processes, and waits until each of their threads has stopped: the signal alone reaches one of them at
 * first.
 */
export async function freezeProcesses(...pids: number[]): Promise<void> {
  for (const pid of pids) stop(pid)
  for (const pid of pids) {
    await expect.poll(() => statesOfThreads(pid), { interval: 5 }).toSatisfy((all: string[]) => all.every(isStill))
  }
}

function stop(pid: number): void {
  try {
    process.kill(pid, 'SIGSTOP')
  } catch (error) {
    // It has ended since it was listed.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

const isStill = (state: string) => 'TtZX'.includes(state)

/** State letters of proc(5); empty for a process that is gone. */
async function statesOfThreads(pid: number): Promise<string[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => [])
  const stats = await Promise.all(
    threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8').catch(() => '')),
  )
  return stats.flatMap((stat) => /^\d+ \(.*\) (\S)/s.exec(stat)?.[1] ?? [])
}
