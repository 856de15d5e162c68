import { randomBytes } from 'node:crypto'
import { existsSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import * as nodeModule from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { runCaptured } from './child.mjs'
import { SetupFailed } from './failure.mjs'
import { isFresh } from './freshness.mjs'
import { inStagingFolder, replaceFiles } from './replace-files.mjs'

const CONFIG = 'vite.server.config.ts'
const MAIN = join('dist', 'main.js')
const SOURCES = ['src', 'package-lock.json', CONFIG, join('scripts', 'server-bundle.mjs')]

/**
 * Builds dist/ from src/: the server and the packages that it needs, in few files.
 *
 * @param {string} root
 * @param {(line: string) => void} say
 */
export async function buildServer(root, say) {
  const startedSeconds = now(root)
  const before = builtAt(root)
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js')
  // Vite takes any other for a build that developers look into.
  const env = { ...process.env, NODE_ENV: 'production' }
  await inStagingFolder(root, async (staging) => {
    const { code, output } = await runCaptured(
      process.execPath,
      [vite, 'build', '--config', join(root, CONFIG), '--outDir', staging],
      { cwd: root, env, stillWorking: (seconds) => say(`still bundling the server (${seconds} s)`) },
    )
    if (code !== 0) throw new SetupFailed(`The server could not be bundled:\n${output.trim()}`)
    // A source that was changed meanwhile is newer than what it may have missed.
    utimesSync(join(root, staging, 'main.js'), startedSeconds, startedSeconds)
    // Two may build at once: the bundle of whoever was first may be running by now, and is as good.
    if (builtAt(root) !== before && isFresh(root, MAIN, SOURCES)) return
    replaceFiles(join(root, staging), join(root, 'dist'), 'main.js')
  })
}

/**
 * By the clock of the file system, which is behind that of the process and finer: else a source that was written just
 * before would count as newer. A microsecond is lost in the conversion.
 *
 * @param {string} root
 */
function now(root) {
  const stamp = join(root, `dist.${randomBytes(4).toString('hex')}.time`)
  writeFileSync(stamp, '')
  try {
    return (statSync(stamp).mtimeMs + 0.001) / 1000
  } finally {
    rmSync(stamp)
  }
}

/** @param {string} root */
const builtAt = (root) => statSync(join(root, MAIN), { throwIfNoEntry: false })?.mtimeMs

/**
 * Builds the bundle if it is not there, or older than what it is made of. A package holds only the built one.
 *
 * @param {string} root
 * @param {(line: string) => void} say
 */
export async function ensureServer(root, say) {
  if (!existsSync(join(root, 'src'))) return
  if (isFresh(root, MAIN, SOURCES)) return
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
