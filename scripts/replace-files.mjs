import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * A folder for a build, beside its place: what was broken off is never taken for complete. It is removed afterwards, as
 * are those of builds that were killed.
 *
 * @template T
 * @param {string} root
 * @param {(staging: string) => Promise<T>} build gets its name
 */
export async function inStagingFolder(root, build) {
  removeUnfinished(root)
  const staging = `dist.${randomBytes(4).toString('hex')}`
  try {
    return await build(staging)
  } finally {
    rmSync(join(root, staging), { recursive: true, force: true })
  }
}

/** @param {string} root */
function removeUnfinished(root) {
  for (const name of readdirSync(root).filter((found) => /^dist\.[0-9a-f]{8}$/.test(found))) {
    // One that is going on takes seconds.
    if (Date.now() - statSync(join(root, name)).mtimeMs > 600_000) rmSync(join(root, name), { recursive: true })
  }
}

/**
 * Puts the files of one folder in place of those of another, one by one, each in one step: a server reads them from there
 * at any time, so none may be missing even for a moment. `last` comes last: the old one is dated back, so that the next
 * start builds again if this is broken off.
 *
 * @param {string} from
 * @param {string} to
 * @param {string} last the file whose date is that of the build
 */
export function replaceFiles(from, to, last) {
  const before = filesOf(to)
  if (before.includes(last)) utimesSync(join(to, last), 0, 0)
  const names = filesOf(from).filter((name) => name !== last)
  for (const name of [...names, last]) {
    mkdirSync(dirname(join(to, name)), { recursive: true })
    renameSync(join(from, name), join(to, name))
  }
  for (const name of before) if (name !== last && !names.includes(name)) rmSync(join(to, name), { force: true })
}

/**
 * @param {string} folder
 * @returns {string[]}
 */
function filesOf(folder) {
  if (statSync(folder, { throwIfNoEntry: false }) === undefined) return []
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesOf(join(folder, entry.name)).map((name) => join(entry.name, name)) : [entry.name],
  )
}
