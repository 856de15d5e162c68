import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { ensureBrowser } from './browser.mjs'
import { ensureDashboard } from './dashboard.mjs'
import { ensureFfmpeg } from './ffmpeg.mjs'
import { SetupFailed } from './failure.mjs'
import { ensureServer } from './server-bundle.mjs'
import { ensurePackagedPostgres, ensurePackages, ensureTestClients, packagesAreInstalled } from './packages.mjs'

/** @param {string} line */
export function say(line) {
  process.stderr.write(`set-up: ${line}\n`)
}

/** Throws on systems that no part of Tabwire was made for. */
export function checkPlatform() {
  if (process.platform === 'linux' || process.platform === 'darwin') return
  throw new SetupFailed(
    `Tabwire runs on Linux and macOS, not on ${process.platform}: on Windows run it in WSL 2, or in a container.`,
  )
}

/**
 * Brings a checkout of the project to where its commands run: packages, and where the task needs them a browser, the
 * PostgreSQL of the tests, the clients that they connect with, the built dashboard and the bundled server. Runs on a supported Node, before node_modules exists, with no packages of its own.
 *
 * @param {string} root
 * @param {{ browser: boolean, postgres: boolean, ffmpeg: boolean, dashboard: boolean, server: boolean, clients: boolean }} needs
 */
export async function setUp(root, needs) {
  if (!packagesAreInstalled(root)) {
    try {
      accessSync(root, constants.W_OK)
    } catch {
      throw new SetupFailed(`The packages may not be written: make ${root} yours (chown) and run the command again.`)
    }
  }
  await ensurePackages(root, say)
  if (needs.postgres) await ensurePackagedPostgres(root)
  if (needs.browser) await ensureBrowser(root, say)
  if (needs.ffmpeg) await ensureFfmpeg(root, say)
  if (needs.clients) await ensureTestClients(root, say)
  if (needs.dashboard) await ensureDashboard(root, say)
  if (needs.server) await ensureServer(root, say)
}

/** The folder of a checkout in which set-up keeps a Node of its own. */
export const projectToolchainDir = (/** @type {string} */ root) => join(root, '.toolchain')
