import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs'
import * as nodeModule from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { runCaptured } from './child.mjs'
import { SetupFailed } from './failure.mjs'
import { isFresh } from './freshness.mjs'

const CONFIG = 'vite.server.config.ts'
const MAIN = join('dist', 'main.js')

/**
 * Builds dist/ from src/: the server and the packages that it needs, in few files.
 *
 * @param {string} root
 * @param {(line: string) => void} say
 */
export async function buildServer(root, say) {
  const started = new Date()
  removeUnfinished(root)
  // Built beside its place and moved there whole: what was broken off is never taken for a bundle.
  const staging = `dist.${randomBytes(4).toString('hex')}`
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js')
  // Vite takes any other for a build that developers look into.
  const env = { ...process.env, NODE_ENV: 'production' }
  try {
    const { code, output } = await runCaptured(
      process.execPath,
      [vite, 'build', '--config', join(root, CONFIG), '--outDir', staging],
      { cwd: root, env, stillWorking: (seconds) => say(`still bundling the server (${seconds} s)`) },
    )
    if (code !== 0) throw new SetupFailed(`The server could not be bundled:\n${output.trim()}`)
    // A source that was changed meanwhile is newer than what it may have missed.
    utimesSync(join(root, staging, 'main.js'), started, started)
    rmSync(join(root, 'dist'), { recursive: true, force: true })
    try {
      renameSync(join(root, staging), join(root, 'dist'))
    } catch (error) {
      // Two may build at once; either's is as good.
      if (!existsSync(join(root, MAIN))) throw error
    }
  } finally {
    rmSync(join(root, staging), { recursive: true, force: true })
  }
}

/** What builds left that were killed; one that is going on takes seconds. */
function removeUnfinished(root) {
  for (const name of readdirSync(root).filter((found) => /^dist\.[0-9a-f]{8}$/.test(found))) {
    if (Date.now() - statSync(join(root, name)).mtimeMs > 600_000) rmSync(join(root, name), { recursive: true })
  }
}

/**
 * Builds the bundle if it is not there, or older than what it is made of. A package holds only the built one.
 *
 * @param {string} root
 * @param {(line: string) => void} say
 */
export async function ensureServer(root, say) {
  if (!existsSync(join(root, 'src'))) return
  const sources = ['src', 'package-lock.json', CONFIG, join('scripts', 'server-bundle.mjs')]
  if (isFresh(root, MAIN, sources)) return
  say('bundling the server')
  await buildServer(root, say)
}

/**
 * Runs the bundle in this very process, which it ends itself: no wrapper stands between a signal and the server.
 *
 * @param {string} root
 * @param {readonly string[]} args
 */
export async function runServer(root, args) {
  // Compiled code is kept beside the packages where they may be written to, and is made anew at each start where not.
  nodeModule.enableCompileCache?.(join(root, 'node_modules', '.cache', 'tabwire'))
  // Stack traces name the lines of src/.
  process.setSourceMapsEnabled(true)
  process.argv = [process.argv[0], join(root, MAIN), ...args]
  await import(pathToFileURL(join(root, MAIN)).href)
}
