import type { SandboxMode } from '../../config.ts'
import type { Logger } from '../../logger.ts'
import { BrowserLaunchFailed } from '../../ports/browser.ts'
import type { LaunchMode } from './browser-process.ts'
import { openBrowser, type OpenBrowser } from './open-browser.ts'

/** User ids that nobody has: far above those of people, services and most containers' ranges. */
const HIGH_UID = 2_000_000_000
/** "nobody", which exists where a container maps few user ids. */
const NOBODY_UID = 65_534

export interface Probe {
  mode: LaunchMode
  /** The browser that proved it, ready for use. */
  browser: OpenBrowser
  /** Why there is no sandbox although one was wanted, and the cure; null otherwise. */
  sandboxProblem: string | null
}

/** Finds out by launching how browsers can be started here: with a sandbox if it may be had, as root under other users. */
export async function probeLaunchMode(
  executable: string,
  sandbox: SandboxMode,
  parentDir: string,
  logger: Logger,
  signal: AbortSignal,
): Promise<Probe> {
  const users = launchUsers()
  const failures: string[] = []
  const attempt = async (sandboxed: boolean): Promise<{ mode: LaunchMode; browser: OpenBrowser } | null> => {
    for (const user of users) {
      // Chromium refuses to run its sandbox as root.
      if (sandboxed && user.firstUid === null && isRoot()) continue
      const mode: LaunchMode = { executable, sandboxed, ...user }
      try {
        return { mode, browser: await openBrowser(mode, parentDir, logger, signal) }
      } catch (error) {
        signal.throwIfAborted()
        logger.debug({ err: error, mode }, 'a way to start the browser failed')
        failures.push((error as Error).message)
      }
    }
    return null
  }
  const withSandbox = sandbox === 'off' ? null : await attempt(true)
  if (withSandbox) return { ...withSandbox, sandboxProblem: null }
  const problem = failures[0] === undefined ? null : sandboxProblem(executable, failures)
  if (sandbox === 'on') throw new BrowserLaunchFailed(problem ?? 'the browser sandbox cannot be had')
  const without = await attempt(false)
  if (without) return { ...without, sandboxProblem: problem }
  throw new BrowserLaunchFailed(failures.at(-1) ?? 'the browser could not be started')
}

type LaunchUser = Pick<LaunchMode, 'firstUid' | 'ownUids'>

function launchUsers(): LaunchUser[] {
  const ourselves: LaunchUser = { firstUid: null, ownUids: false }
  if (!isRoot()) return [ourselves]
  return [{ firstUid: HIGH_UID, ownUids: true }, { firstUid: NOBODY_UID, ownUids: false }, ourselves]
}

function isRoot(): boolean {
  return process.getuid?.() === 0
}

function sandboxProblem(executable: string, failures: readonly string[]): string {
  const start = 'the browser runs without its sandbox'
  if (failures.some((failure) => /permission denied|EACCES/i.test(failure) && !/sandbox/i.test(failure))) {
    return `${start}, for only root can reach ${executable}: install the browser where every user can read it (PLAYWRIGHT_BROWSERS_PATH, TABWIRE_BROWSER_PATH), or run Tabwire as an ordinary user`
  }
  if (failures.some((failure) => /No usable sandbox|namespace|sandbox/i.test(failure))) {
    return `${start}, for user namespaces are not allowed here: allow them (sysctl kernel.unprivileged_userns_clone=1 and kernel.apparmor_restrict_unprivileged_userns=0; in a container, the seccomp profile that comes with Tabwire)`
  }
  return `${start}, for a launch with it failed (${failures[0]})`
}
