import { spawn } from 'node:child_process'
import { constants } from 'node:os'

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP']

/**
 * Runs a program in the foreground: its output is ours, signals reach it, and its exit code comes back (128 + n for a
 * signal, as shells tell it). A terminal and npm each deliver a Ctrl-C of their own, so the program may get it twice;
 * src/main.ts takes such copies for one.
 *
 * The IPC channel carries no message. It breaks when this process dies in whatever way, which the program below can
 * notice (endWithParent), so that even kill -9 leaves no server behind.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, cwd?: string, ipc?: boolean }} [options]
 * @returns {Promise<number>}
 */
export function runInForeground(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: options.ipc ? ['inherit', 'inherit', 'inherit', 'ipc'] : 'inherit',
      env: options.env ?? process.env,
      cwd: options.cwd,
    })
    /** @param {NodeJS.Signals} signal */
    const forward = (signal) => {
      child.kill(signal)
    }
    const stopForwarding = () => {
      for (const signal of FORWARDED) process.off(signal, forward)
    }
    for (const signal of FORWARDED) process.on(signal, forward)
    child.once('error', (/** @type {Error} */ error) => {
      stopForwarding()
      reject(error)
    })
    child.once('exit', (code, signal) => {
      stopForwarding()
      resolve(code ?? 128 + (constants.signals[signal ?? 'SIGTERM'] ?? 0))
    })
  })
}

/** In a process started with `ipc`: its parent's death counts as SIGTERM. */
export function endWithParent() {
  if (!process.channel) return
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  process.channel.unref()
}

/**
 * Runs a program in silence and keeps what it prints, for a step of set-up. Reports every five seconds that it
 * is still running.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{
 *   env?: NodeJS.ProcessEnv, cwd?: string, stillWorking?: (seconds: number, output: string) => void, keepCharacters?: number,
 * }} [options] `keepCharacters`: how much of the end of the output to keep, 64,000 unless told
 * @returns {Promise<{ code: number, output: string }>}
 */
export function runCaptured(command, args, options = {}) {
  return new Promise((resolve) => {
    const started = Date.now()
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: options.env ?? process.env,
      cwd: options.cwd,
    })
    let output = ''
    /** @param {string} text */
    const keep = (text) => {
      // Enough for people to see why; a package manager may print megabytes.
      output = (output + text).slice(-(options.keepCharacters ?? 64_000))
    }
    child.stdout.setEncoding('utf8').on('data', keep)
    child.stderr.setEncoding('utf8').on('data', keep)
    const ticker = setInterval(() => {
      options.stillWorking?.(Math.round((Date.now() - started) / 1000), output)
    }, 5_000)
    child.once('error', (error) => {
      clearInterval(ticker)
      resolve({ code: 127, output: `${output}${error.message}` })
    })
    child.once('close', (code) => {
      clearInterval(ticker)
      resolve({ code: code ?? 1, output })
    })
  })
}
