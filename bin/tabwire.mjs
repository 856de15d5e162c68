#!/usr/bin/env node
// The `tabwire` command. Plain JavaScript without dependencies, so that it also starts on a Node that is too old for
// the rest, and goes on under one that is not.
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { endWithParent, runInForeground } from '../scripts/child.mjs'
import { SetupFailed } from '../scripts/failure.mjs'
import { findBrowser, SHARED_PLAYWRIGHT_DIR } from '../scripts/find-browser.mjs'
import { runServer } from '../scripts/server-bundle.mjs'
import { checkPlatform, projectToolchainDir, say } from '../scripts/setup.mjs'
import { ensureNode, environmentWithNode, userToolchainDir } from '../scripts/toolchain.mjs'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
// A checkout has the sources and runs them; the package has what the build made of them.
const SOURCES = join(ROOT, 'src', 'main.ts')
const isCheckout = existsSync(SOURCES)

/** Set-up may have put a browser where Playwright does not look by itself. */
function shareBrowser() {
  const core = dirname(createRequire(import.meta.url).resolve('playwright-core/package.json'))
  const found = findBrowser(process.env, core)
  if (found?.path.startsWith(`${SHARED_PLAYWRIGHT_DIR}/`)) process.env.PLAYWRIGHT_BROWSERS_PATH = SHARED_PLAYWRIGHT_DIR
}

try {
  checkPlatform()
  const runtime = await ensureNode(isCheckout ? projectToolchainDir(ROOT) : userToolchainDir(), say)
  if (runtime === process.execPath) {
    endWithParent()
    shareBrowser()
    if (isCheckout) {
      await import('../scripts/drizzle-imports.mjs')
      await import(pathToFileURL(SOURCES).href)
    } else await runServer(ROOT, process.argv.slice(2))
  } else {
    process.exitCode = await runInForeground(runtime, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
      env: environmentWithNode(runtime),
      ipc: true,
    })
  }
} catch (error) {
  if (!(error instanceof SetupFailed)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}
