#!/usr/bin/env node
// The `tabwire` command. Plain JavaScript without dependencies, so that it also starts on a Node that is too old for
// the rest, and goes on under one that is not.
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { endWithParent, runInForeground } from '../scripts/child.mjs'
import { SetupFailed } from '../scripts/failure.mjs'
import { checkPlatform, projectToolchainDir, say } from '../scripts/setup.mjs'
import { ensureNode, environmentWithNode, userToolchainDir } from '../scripts/toolchain.mjs'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
// A checkout has the sources and runs them; the package has what the build made of them.
const SOURCES = join(ROOT, 'src', 'main.ts')
const isCheckout = existsSync(SOURCES)

try {
  checkPlatform()
  const runtime = await ensureNode(isCheckout ? projectToolchainDir(ROOT) : userToolchainDir(), say)
  if (runtime === process.execPath) {
    endWithParent()
    await import(pathToFileURL(isCheckout ? SOURCES : join(ROOT, 'dist', 'main.js')).href)
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
