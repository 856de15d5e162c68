import { spawn, type ChildProcess } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import type { Logger } from '../../../logger.ts'
import { BrowserLaunchFailed } from '../../../ports/browser/browser.ts'
import type { EgressProxy } from '../../../ports/egress/egress.ts'
import { faultOwner, ownedBy } from '../../../fault-owner.ts'
import { browserFlags } from './browser-flags.ts'
import { browserEnvironment } from './browser-environment.ts'
import { makeBrowserFolders, type BrowserFolders } from './browser-folders.ts'
import { BrowserPriority } from './browser-priority.ts'
import { CdpConnection } from '../cdp/connection/cdp-connection.ts'
import type { BrowsersDirectory } from './browsers-directory.ts'
import { Deadline } from '../../../async/deadline.ts'
import { FileSizeLimit } from './file-size-limit.ts'
import type { BrowserPipes } from '../cdp/pipe/browser-pipes.ts'
import { setprivPath } from './setpriv.ts'

/** How to start browsers on this machine, determined once by a probe (see sandbox.ts). */
export interface LaunchMode {
  executable: string
  sandboxed: boolean
  /** As root: the first of the browsers' user ids, each its own; null: they run as our own user. */
  firstUid: number | null
  /** Whether each browser has a user id of its own; otherwise all use `firstUid`. */
  ownUids: boolean
  /** Limit on the size of a file that a browser writes; unset: the system's limit. */
  maxFileBytes?: number
}

/** User ids of one server: each is reused after this many launches. */
export const UIDS_PER_SERVER = 10_000
const KEPT_OUTPUT = 4_000
/** How long to read the rest of an exited browser's pipe. */
const FINAL_READ_MS = 200
/** How long processing that rest may take, beside the messages of other browsers. */
const READ_WORDS_MS = 5_000
/** How long a browser whose pipe is closed may take to exit. */
const SPEECHLESS_MS = 500
/** SIGKILL needs no more, unless a process hangs in the kernel. */
const EXIT_MS = 5_000
const GROUP_END_MS = 2_000
const PROXY_CLOSE_MS = 2_000

let launchCount = 0

/** One browser process in a process group of its own, with its pipes and its directory. */
export class BrowserProcess {
  readonly pid: number
  readonly connection: CdpConnection
  readonly folders: BrowserFolders
  readonly fileSizeLimit: FileSizeLimit
  /** Its only way to the network; null: it uses the system's network directly. Closed with the process. */
  readonly proxy: EgressProxy | null
  /** Resolves when the process has exited for any reason, with an explanation for people. */
  readonly exited: Promise<string>
  /** Like `exited`, but resolves after the rest of the browser's output was read. */
  readonly fellSilent: Promise<string>
  readonly #child: ChildProcess
  readonly #priority: BrowserPriority
  readonly #parent: BrowsersDirectory
  readonly #logger: Logger
  /**
   * The pool also closes browsers that belong to no session: a fault during closing is the browser's, whoever closes
   * it.
   */
  readonly #owner = faultOwner()
  #output = ''
  readonly #outputEnded: Promise<void>
  #closing: Promise<void> | null = null

  private constructor(
    child: ChildProcess,
    pid: number,
    uid: number | null,
    parent: BrowsersDirectory,
    folders: BrowserFolders,
    pipes: BrowserPipes,
    proxy: EgressProxy | null,
    logger: Logger,
  ) {
    this.#child = child
    this.#parent = parent
    this.proxy = proxy
    this.#logger = logger
    this.pid = pid
    this.folders = folders
    this.fileSizeLimit = new FileSizeLimit(pid, uid, () => this.hasExited, logger)
    this.#priority = new BrowserPriority(pid, () => this.hasExited)
    const keep = (chunk: Buffer) => {
      this.#output = (this.#output + chunk.toString()).slice(-KEPT_OUTPUT)
    }
    child.stdout!.on('data', keep)
    child.stderr!.on('data', keep)
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve(signal ? `killed by ${signal}` : `exit code ${code}`))
    })
    this.#outputEnded = new Promise((resolve) => child.once('close', () => resolve()))
    const [, , , input, output] = child.stdio
    this.connection = new CdpConnection(input as Writable, output as Readable, folders.downloads, pipes, logger)
    this.connection.onSpent = (milliseconds) => this.#priority.spent(milliseconds)
    const silence = new Promise<void>((resolve) => this.connection.onClose(resolve))
    this.fellSilent = this.exited.then(async (how) => {
      await Deadline.isMet(silence, FINAL_READ_MS)
      // All bytes read are already queued, and they are no more than a pipe holds.
      await Deadline.isMet(this.connection.caughtUp(), READ_WORDS_MS)
      return how
    })
    this.connection.onClose(() => {
      // Usually it is about to exit. If it stays, it is of no use without its pipe.
      const timer = setTimeout(() => this.#killGroup(), SPEECHLESS_MS)
      void this.exited.then(() => clearTimeout(timer))
    })
  }

  /**
   * In any case, the proxy is closed when all processes of the browser are gone. `fault`: rejects when work started
   * here has failed without a caller to catch it.
   */
  static async start(
    mode: LaunchMode,
    parent: BrowsersDirectory,
    pipes: BrowserPipes,
    logger: Logger,
    proxy: EgressProxy | null = null,
    fault: Promise<never> = NEVER,
  ): Promise<BrowserProcess> {
    const uid = mode.firstUid === null ? null : mode.firstUid + (mode.ownUids ? launchCount++ % UIDS_PER_SERVER : 0)
    let folders: BrowserFolders | null = null
    let child: ChildProcess | null = null
    try {
      folders = await makeBrowserFolders(parent.path, uid)
      child = spawnBrowser(mode, folders, uid, proxy?.port ?? null)
      const pid = await Promise.race([pidOf(child), fault])
      return new BrowserProcess(child, pid, uid, parent, folders, pipes, proxy, logger)
    } catch (error) {
      if (child?.pid !== undefined) killGroup(child.pid)
      await closeProxy(proxy, logger)
      if (folders) await parent.remove(folders.dir)
      throw new BrowserLaunchFailed(`${mode.executable} could not be started: ${(error as Error).message}`, error)
    }
  }

  get hasExited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** Waits for work with the browser, but no longer than the browser lives. */
  orEnd<T>(work: Promise<T>): Promise<T> {
    const ended = this.exited.then((how): never => {
      throw new BrowserLaunchFailed(`the browser ended (${how})`)
    })
    return Promise.race([work, ended])
  }

  /** The last lines of the browser's output, for the message of a failed launch. */
  lastOutput(): string {
    return this.#output.trim().split('\n').slice(-5).join('\n')
  }

  /**
   * Asks the browser to exit, kills its process group at the deadline (which also ends a stopped one), and removes its
   * directory.
   */
  close(deadlineMs: number): Promise<void> {
    this.#closing ??= ownedBy(this.#owner, () => this.#end(deadlineMs))
    return this.#closing
  }

  /** Kills it at once; `close` still has to remove its directory. */
  kill(): void {
    this.#killGroup()
  }

  async #end(deadlineMs: number): Promise<void> {
    if (deadlineMs > 0) {
      this.connection.notify('Browser.close', {})
      await Deadline.isMet(this.exited, deadlineMs)
    }
    this.#killGroup()
    if (!(await Deadline.isMet(this.exited, EXIT_MS))) {
      this.#logger.error({ pid: this.pid, dir: this.folders.dir }, 'a browser survived SIGKILL: it hangs in the kernel')
    }
    // Each process of the group keeps the browser's output open until it exits. (The existence of the group would prove
    // nothing: zombies belong to it until they are reaped.)
    await Deadline.isMet(this.#outputEnded, GROUP_END_MS)
    this.#priority.dispose()
    await this.fileSizeLimit.close()
    for (const stream of this.#child.stdio) stream?.destroy()
    await closeProxy(this.proxy, this.#logger)
    await this.#parent.remove(this.folders.dir)
  }

  #killGroup(): void {
    killGroup(this.pid)
  }
}

const NEVER = new Promise<never>(() => {})

/** Its thread may be blocked, and is replaced then; no browser waits for that. Never rejects. */
async function closeProxy(proxy: EgressProxy | null, logger: Logger): Promise<void> {
  const closed = proxy?.close().catch((error: unknown) => {
    logger.warn({ err: error }, 'the proxy of a browser was not closed')
  })
  if (closed) await Deadline.isMet(closed, PROXY_CLOSE_MS)
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // All processes are gone.
  }
}

function spawnBrowser(
  mode: LaunchMode,
  folders: BrowserFolders,
  uid: number | null,
  proxyPort: number | null,
): ChildProcess {
  const { home, profile } = folders
  const flags = browserFlags(profile, mode.sandboxed, { width: 1920, height: 1080 }, proxyPort)
  const env = browserEnvironment(process.env, folders)
  const stdio = ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'] as const
  const options = { env, cwd: home, detached: true, stdio: [...stdio] }
  const setpriv = setprivPath()
  if (setpriv !== null) {
    const user = uid === null ? [] : ['--reuid', String(uid), '--regid', String(uid), '--clear-groups']
    // A stopped browser does not notice its broken pipe; the kernel ends it when this process exits.
    const command = [setpriv, '--pdeathsig', 'KILL', ...user, '--', mode.executable, ...flags]
    return spawn(SHELL, withinLimits(mode, command), options)
  }
  const command = withinLimits(mode, [mode.executable, ...flags])
  return spawn(SHELL, command, uid === null ? options : { ...options, uid, gid: uid })
}

const SHELL = '/bin/sh'
/** POSIX counts file sizes in this unit. */
const ULIMIT_UNIT = 512

/**
 * A last resort in case monitoring comes too late: no core dumps, and no file above the limit. Chromium leaves SIGXFSZ
 * ignored if it is so at the start; a write beyond the limit is then an error that it handles (a download is canceled)
 * instead of a crash.
 */
function withinLimits({ maxFileBytes }: LaunchMode, command: readonly string[]): string[] {
  const ofFiles = maxFileBytes === undefined ? '' : `ulimit -f ${Math.ceil(maxFileBytes / ULIMIT_UNIT)} 2>/dev/null;`
  return ['-c', `trap '' XFSZ; ulimit -c 0 2>/dev/null; ${ofFiles} exec "$@"`, 'sh', ...command]
}

function pidOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('spawn', () => resolve(child.pid!))
  })
}
