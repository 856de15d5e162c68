import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { runCaptured } from './child.mjs'
import { SetupFailed } from './failure.mjs'
import { isFresh } from './freshness.mjs'
import { inStagingFolder, replaceFiles } from './replace-files.mjs'

/**
 * Builds dist-dashboard/ from dashboard/: the types of the schema, a check of the operations, the page.
 *
 * @param {string} root
 * @param {(line: string) => void} say
 */
export async function buildDashboard(root, say) {
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js')
  // Under any other, and vitest sets one, React would be built for its own developers: twice the size, and far slower.
  const env = { ...process.env, NODE_ENV: 'production' }
  await inStagingFolder(root, async (staging) => {
    for (const args of [
      [join(root, 'dashboard', 'prepare.ts')],
      [vite, 'build', join(root, 'dashboard'), '--outDir', join(root, staging)],
    ]) {
      const { code, output } = await runCaptured(process.execPath, args, {
        cwd: root,
        env,
        stillWorking: (seconds) => say(`still building the dashboard (${seconds} s)`),
      })
      if (code !== 0) throw new SetupFailed(`The dashboard could not be built:\n${output.trim()}`)
    }
    replaceFiles(join(root, staging), join(root, 'dist-dashboard'), 'index.html')
  })
}

/**
 * Builds the dashboard if it is not there, or older than what it is made of. A package holds only the built one.
 *
 * @param {string} root
 * @param {(line: string) => void} say
 */
export async function ensureDashboard(root, say) {
  if (!existsSync(join(root, 'dashboard')) || isBuilt(root)) return
  say('building the dashboard')
  await buildDashboard(root, say)
}

/** @param {string} root */
const isBuilt = (root) =>
  isFresh(
    root,
    join('dist-dashboard', 'index.html'),
    // The page follows logs with the client that programs of others use.
    ['dashboard', join('src', 'client'), 'schema.graphql', 'package-lock.json', join('scripts', 'dashboard.mjs')],
    (path) => path !== join('dashboard', 'generated'),
  )
