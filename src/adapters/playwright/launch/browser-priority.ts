import { writeFile } from 'node:fs/promises'
import { constants, getPriority, setPriority } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * By how much it is lower. Measured beside a page that floods, on two cores: at 5 the server's thread waited up to 1.6 s for
 * a core, though it had work for 12 ms; at 10 others' lines came up to 0.2 s late (p99), at 19 up to 0.07 s. The lowest
 * priority would starve pages where something else keeps the machine busy.
 */
const NICENESS = 15
/** The kernel lets unprivileged processes change a group ten times a second in all. */
const ATTEMPTS = 10
const PAUSE_MS = 150

/**
 * Lets the server go first where a browser and what it starts want more time than there is. A browser is the leader of a
 * session of processes, and Linux divides the processor among these before it looks at niceness within them
 * (sched_autogroup, on by default): each of ten busy browsers would get as much as the whole server, however nice they
 * are. So both are set. Never rejects; what cannot be had is left as it is.
 */
export async function giveWay(pid: number): Promise<void> {
  try {
    // The server may have been started with a lower priority itself.
    const niceness = Math.min(constants.priority.PRIORITY_LOW, getPriority() + NICENESS)
    setPriority(pid, niceness)
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      try {
        await writeFile(`/proc/${pid}/autogroup`, String(niceness))
        return
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return
      }
      await delay(PAUSE_MS, undefined, { ref: false })
    }
  } catch {
    // It has ended, or the system knows no priorities.
  }
}
