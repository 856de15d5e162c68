import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname } from 'node:path'
import { StartupFailed } from './startup-failed.ts'

/**
 * Makes this the folder of all temporary files of the process: those of browsers, of the embedded database's socket,
 * and of libraries, which read the environment. Throws StartupFailed if it cannot be used; the system's default is not
 * checked.
 */
export async function useTempDirectory(path: string): Promise<void> {
  if (path === tmpdir()) return
  await requireUsable(path)
  process.env['TMPDIR'] = path
}

async function requireUsable(path: string): Promise<void> {
  const found = await stat(path).catch(() => null)
  if (!found?.isDirectory()) {
    throw new StartupFailed(`TABWIRE_TEMP_DIR ${path} is not an existing directory: create it, or set another.`)
  }
  const { W_OK, X_OK } = constants
  if (
    !(await access(path, W_OK | X_OK).then(
      () => true,
      () => false,
    ))
  ) {
    throw new StartupFailed(`TABWIRE_TEMP_DIR ${path} is not writable: give this user the right to it, or set another.`)
  }
  if (process.getuid?.() !== 0) return
  // If started by root, browsers run as separate users.
  for (let folder = path; ; folder = dirname(folder)) {
    if (((await stat(folder)).mode & constants.S_IXOTH) === 0) {
      throw new StartupFailed(
        `TABWIRE_TEMP_DIR ${path} is out of reach for the users that browsers run under: run "chmod o+x ${folder}", or set another.`,
      )
    }
    if (folder === dirname(folder)) return
  }
}
