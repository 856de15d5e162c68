import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const found = new Map<string, string | null>()

/** The program that makes the kernel end a browser together with us; null if it is not installed. Looked up once. */
export function setprivPath(): string | null {
  return once('setpriv', findSetpriv)
}

/** The program that limits the file size of a running process; null if it is not installed. Looked up once. */
export function prlimitPath(): string | null {
  return once('prlimit', (searchPath) => find('prlimit', '--fsize', searchPath))
}

/** The one of util-linux; busybox has one of that name without --pdeathsig. */
export function findSetpriv(searchPath: string): string | null {
  return find('setpriv', '--pdeathsig', searchPath)
}

function once(name: string, findIn: (searchPath: string) => string | null): string | null {
  if (!found.has(name)) found.set(name, process.platform === 'linux' ? findIn(process.env['PATH'] ?? '') : null)
  return found.get(name) ?? null
}

function find(name: string, option: string, searchPath: string): string | null {
  const folders = [...searchPath.split(delimiter), '/usr/bin']
  return folders.map((folder) => join(folder, name)).find((path) => knows(path, option)) ?? null
}

function knows(path: string, option: string): boolean {
  if (!existsSync(path)) return false
  const { error, stdout } = spawnSync(path, ['--help'], { encoding: 'utf8', timeout: 5_000 })
  // If it could not be started, there is no output at all, not even an empty one.
  return error === undefined && stdout.includes(option)
}
