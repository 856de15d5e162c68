import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { SandboxMode } from '../../../config.ts'
import type { Logger } from '../../../logger.ts'
import { BrowserLaunchFailed } from '../../../ports/browser/browser.ts'
import type { EgressProxies } from '../../../ports/egress/egress.ts'
import { UIDS_PER_SERVER, type LaunchMode } from './browser-process.ts'
import type { BrowsersDirectory } from './browsers-directory.ts'
import { openBrowser, type OpenBrowser } from './open-browser.ts'
import type { BrowserPipes } from '../cdp/pipe/browser-pipes.ts'

/** Unused user ids: above those of people, services and containers, below those that few programs support. */
const HIGH_UIDS = { first: 0x7000_0000, end: 0x7ffe_0000 }
/** "nobody", which exists in containers that map few user ids. */
const NOBODY_UID = 65_534

/** The probe has deadlines of its own. */
const NEVER = new AbortController().signal

export interface Probe {
  mode: LaunchMode
  /** The browser of the successful launch, ready for use. */
  browser: OpenBrowser
  /** Why the wanted sandbox is missing, and the remedy; null otherwise. */
  sandboxProblem: string | null
}

/** Determines by launching how browsers can be started here: with a sandbox if possible, as root under other users. */
export async function probeLaunchMode(
  executable: string,
  sandbox: SandboxMode,
  parent: BrowsersDirectory,
  machineId: string,
  pipes: BrowserPipes,
  maxFileBytes: number,
  proxies: EgressProxies | null,
  logger: Logger,
  onLaunched?: () => void,
): Promise<Probe> {
  const users = launchUsers(machineId)
  const failures: string[] = []
  const attempt = async (sandboxed: boolean): Promise<{ mode: LaunchMode; browser: OpenBrowser } | null> => {
    for (const user of users) {
      // Chromium refuses to run its sandbox as root.
      if (sandboxed && user.firstUid === null && isRoot()) continue
      const mode: LaunchMode = { executable, sandboxed, ...user, maxFileBytes }
      try {
        return { mode, browser: await openBrowser(mode, parent, pipes, proxies, logger, NEVER, onLaunched) }
      } catch (error) {
        logger.debug({ err: error, mode }, 'a way to start the browser failed')
        failures.push((error as Error).message)
      }
    }
    return null
  }
  const withSandbox = sandbox === 'off' ? null : await attempt(true)
  if (withSandbox) return { ...withSandbox, sandboxProblem: null }
  const why = sandbox === 'off' ? null : whyNoSandbox(executable, failures)
  if (sandbox === 'on') {
    throw new BrowserLaunchFailed(
      `the browser's sandbox, required by TABWIRE_BROWSER_SANDBOX=on, is not available: ${why}`,
    )
  }
  const without = await attempt(false)
  if (without) {
    return { ...without, sandboxProblem: why === null ? null : `the browser runs without its sandbox: ${why}` }
  }
  throw new BrowserLaunchFailed(failures.at(-1) ?? 'the browser could not be started')
}

type LaunchUser = Pick<LaunchMode, 'firstUid' | 'ownUids'>

/**
 * The first user id of a server's browsers. It depends on the machine id, because browsers with the same user id can
 * read each other's profiles and kill each other.
 */
export function firstUidOf(machineId: string): number {
  const places = Math.floor((HIGH_UIDS.end - HIGH_UIDS.first) / UIDS_PER_SERVER)
  const place = createHash('sha256').update(machineId).digest().readUInt32BE() % places
  return HIGH_UIDS.first + place * UIDS_PER_SERVER
}

function launchUsers(machineId: string): LaunchUser[] {
  const ourselves: LaunchUser = { firstUid: null, ownUids: false }
  if (!isRoot()) return [ourselves]
  return [{ firstUid: firstUidOf(machineId), ownUids: true }, { firstUid: NOBODY_UID, ownUids: false }, ourselves]
}

function isRoot(): boolean {
  return process.getuid?.() === 0
}

/** Why a browser with its sandbox could not be started, and the remedy. */
function whyNoSandbox(executable: string, failures: readonly string[]): string {
  if (isRoot() && isClosedToOthers(executable)) {
    return `only root can reach ${executable}: install the browser where every user can read it and name it in TABWIRE_BROWSER_PATH, or run Tabwire as an ordinary user`
  }
  if (failures.some((failure) => /sandbox|namespace/i.test(failure))) {
    return 'user namespaces are not allowed here: allow them (kernel.unprivileged_userns_clone=1 and kernel.apparmor_restrict_unprivileged_userns=0 with sysctl; in a container, the seccomp profile that comes with Tabwire)'
  }
  if (isRoot() && failures.every((failure) => /EINVAL|EPERM|Invalid argument|not permitted/.test(failure))) {
    return 'root cannot take other user ids here: run Tabwire as an ordinary user'
  }
  return `a launch with it failed: ${failures[0] ?? 'no reason was given'}`
}

/** Whether a file is inaccessible to other users, by its own mode or by that of a folder on its path. */
function isClosedToOthers(file: string): boolean {
  for (let path = file; path !== dirname(path); path = dirname(path)) {
    if ((statSync(path).mode & 0o001) === 0) return true
  }
  return false
}
