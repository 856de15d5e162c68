import { readdir, readFile } from 'node:fs/promises'

export interface Process {
  pid: number
  parent: number
  command: string
}

/** All processes of this machine. */
export async function processes(): Promise<Process[]> {
  const all: Process[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '')
    const match = /^\d+ \(.*\) (\S) (\d+)/s.exec(stat)
    if (!match || match[1] === 'Z') continue
    const command = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')
    all.push({ pid: Number(name), parent: Number(match[2]), command: command.replaceAll('\0', ' ') })
  }
  return all
}

/**
 * The browsers' main processes (not their helpers) among the children of a process. A helper has the command of its
 * parent until it has been given one of its own.
 */
export async function browsersOf(parent: number): Promise<Process[]> {
  const all = await processes()
  const isBelow = (process: Process): boolean => {
    if (process.parent === parent) return true
    const above = all.find(({ pid }) => pid === process.parent)
    return above !== undefined && isBelow(above)
  }
  const browsers = all.filter(
    (process) =>
      process.command.includes('--remote-debugging-pipe') && !process.command.includes('--type=') && isBelow(process),
  )
  return browsers.filter(({ parent: above }) => !browsers.some(({ pid }) => pid === above))
}
