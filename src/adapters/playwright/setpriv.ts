import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

let found: string | null | undefined

/** The program that makes the kernel end a browser together with us; null where there is none. Found out once. */
export function setprivPath(): string | null {
  found ??= process.platform === 'linux' ? findSetpriv(process.env['PATH'] ?? '') : null
  return found
}

/** Of util-linux; busybox has one by that name, which does not know --pdeathsig. */
export function findSetpriv(searchPath: string): string | null {
  const folders = [...searchPath.split(delimiter), '/usr/bin']
  return folders.map((folder) => join(folder, 'setpriv')).find(knowsDeathSignal) ?? null
}

function knowsDeathSignal(setpriv: string): boolean {
  if (!existsSync(setpriv)) return false
  const { error, stdout } = spawnSync(setpriv, ['--help'], { encoding: 'utf8', timeout: 5_000 })
  // Without a start there is no output at all, not even an empty one.
  return error === undefined && stdout.includes('--pdeathsig')
}
