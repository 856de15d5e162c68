import { execFile } from 'node:child_process'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const ROOT = join(import.meta.dirname, '..', '..')
const run = promisify(execFile)

/** Whether the commit is in the history that this checkout was cloned with. */
export const isInHistory = async (commit: string): Promise<boolean> =>
  run('git', ['cat-file', '-e', `${commit}^{commit}`], { cwd: ROOT }).then(
    () => true,
    () => false,
  )

/** The sources of an earlier version, out of the history of this repository, with the packages of this one. */
export async function checkOutEarlier(commit: string): Promise<{ folder: string } & AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), 'tabwire-earlier-'))
  const archive = join(folder, 'earlier.tar')
  await run('git', ['archive', '--output', archive, commit, 'src', 'drizzle', 'examples', 'package.json'], {
    cwd: ROOT,
  })
  await run('tar', ['-xf', archive, '-C', folder])
  for (const name of ['node_modules', 'dist-dashboard']) await symlink(join(ROOT, name), join(folder, name))
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
}
