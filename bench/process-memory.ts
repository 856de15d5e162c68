import { readFileSync } from 'node:fs'

/** PSS: each page of memory shared by several processes counts in proportion. */
export function proportionalMegabytes(pid: number): number {
  const match = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))
  if (!match) throw new Error('this system does not tell the PSS of a process')
  return Number(match[1]) / 1024
}
