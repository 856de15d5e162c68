import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..', '..')

export interface Finished {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

export interface RunningCommand {
  readonly child: ChildProcess
  readonly finished: Promise<Finished>
  /** Resolves with the first match in the command's output; rejects if it ends without one. */
  printed(pattern: RegExp): Promise<RegExpExecArray>
}

/** Environment of a command: only what it needs to run, without the caller's configuration. */
export function commandEnvironment(dataDir: string, env: Record<string, string> = {}): Record<string, string> {
  const kept = [
    'PATH',
    'HOME',
    'TMPDIR',
    'XDG_CACHE_HOME',
    'PLAYWRIGHT_BROWSERS_PATH',
    'TABWIRE_BROWSER_PATH',
    'NODE_COMPILE_CACHE',
  ]
  const own = kept.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]))
  return {
    ...(Object.fromEntries(own) as Record<string, string>),
    PORT: '0',
    TABWIRE_DATA_DIR: dataDir,
    TABWIRE_WARM_BROWSERS: '0',
    TABWIRE_LOG_LEVEL: 'warn',
    ...env,
  }
}

/** Starts a program the way users do; the caller ends it. */
export function startProgram(
  program: string,
  args: readonly string[],
  env: Record<string, string>,
  cwd = ROOT,
): RunningCommand {
  const child = spawn(program, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  const watchers = new Set<() => void>()
  const wake = () => {
    for (const watcher of watchers) watcher()
  }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    wake()
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
    wake()
  })
  let ended = false
  const finished = once(child, 'close').then(([code, signal]): Finished => {
    ended = true
    wake()
    return { code, signal, stdout, stderr }
  })
  return {
    child,
    finished,
    printed: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const match = pattern.exec(stdout) ?? pattern.exec(stderr)
          if (!match && !ended) return
          watchers.delete(look)
          if (match) resolve(match)
          else reject(new Error(`the command ended without printing ${pattern}:\n${stdout}${stderr}`))
        }
        watchers.add(look)
        look()
      }),
  }
}

/** `tabwire …` of this checkout. */
export function startTabwire(args: readonly string[], env: Record<string, string>): RunningCommand {
  return startProgram(process.execPath, [join(ROOT, 'bin', 'tabwire.mjs'), ...args], env)
}

export function runTabwire(args: readonly string[], env: Record<string, string>): Promise<Finished> {
  return startTabwire(args, env).finished
}
