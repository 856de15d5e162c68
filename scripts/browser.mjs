import { existsSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { runCaptured } from './child.mjs'
import { SetupFailed, classifyFailure } from './failure.mjs'
import { findBrowser, SHARED_PLAYWRIGHT_DIR } from './find-browser.mjs'

const isRoot = () => process.getuid?.() === 0

function isDebianLike() {
  if (!existsSync('/etc/os-release')) return false
  return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(readFileSync('/etc/os-release', 'utf8'))
}

/** True when the browser starts, so that it has every library it needs. */
async function runs(path) {
  return (await runCaptured(path, ['--version'])).code === 0
}

/**
 * `playwright install --with-deps chromium-headless-shell` in two steps: the download first, so that a machine that
 * cannot reach it does not install some dozens of libraries for nothing, and one that has them needs no rights.
 *
 * @returns {Promise<{ path: string } | { output: string }>}
 */
async function installByPlaywright(root, core, say) {
  if (isRoot() && !process.env.PLAYWRIGHT_BROWSERS_PATH) process.env.PLAYWRIGHT_BROWSERS_PATH = SHARED_PLAYWRIGHT_DIR
  const cli = join(root, 'node_modules', 'playwright', 'cli.js')
  const stillWorking = (seconds) => say(`still installing a browser (${seconds} s)`)
  say('no browser found: downloading Playwright’s headless Chromium (about 120 MB)')
  const download = await runCaptured(process.execPath, [cli, 'install', 'chromium-headless-shell'], { stillWorking })
  const found = findBrowser(process.env, core)
  if (download.code !== 0 || found?.origin !== 'playwright') return { output: download.output }
  if (await runs(found.path)) return found

  say('installing the system libraries that it needs')
  // Playwright asks sudo for the right; without a terminal to ask on it fails at once, as it should.
  const libraries = await runCaptured(process.execPath, [cli, 'install-deps', 'chromium-headless-shell'], {
    stillWorking,
  })
  if (await runs(found.path)) return found
  // Else it would be found, and not run, for ever.
  rmSync(dirname(dirname(found.path)), { recursive: true, force: true })
  return { output: libraries.output }
}

/** @returns {Promise<{ path: string } | { output: string }>} */
async function installByApt(core, say) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const stillWorking = (seconds) => say(`still installing a browser (${seconds} s)`)
  say('installing Debian’s package chromium-headless-shell')
  const update = await runCaptured('apt-get', ['update', '-q'], { env, stillWorking })
  const install = await runCaptured(
    'apt-get',
    [
      'install',
      '-q',
      '-y',
      '--no-install-recommends',
      '-o',
      'DPkg::Lock::Timeout=120',
      'chromium-headless-shell',
      'fonts-liberation',
    ],
    { env, stillWorking },
  )
  const found = findBrowser(process.env, core)
  return found && (await runs(found.path)) ? found : { output: update.output + install.output }
}

/**
 * A browser for the sessions: one that is there, else one installed now.
 *
 * @param {string} root
 * @param {(line: string) => void} say
 * @returns {Promise<string>} its path
 */
export async function ensureBrowser(root, say) {
  const core = join(root, 'node_modules', 'playwright-core')
  const named = process.env.TABWIRE_BROWSER_PATH?.trim()
  const found = findBrowser(process.env, core)
  if (found) return found.path
  if (named) {
    throw new SetupFailed(
      `TABWIRE_BROWSER_PATH names ${named}, which is no executable file: correct it, or unset it to have a browser found or installed.`,
    )
  }

  let outcome = await installByPlaywright(root, core, say)
  if ('path' in outcome) return outcome.path
  let said = outcome.output
  if (isDebianLike() && isRoot()) {
    say('that did not work')
    outcome = await installByApt(core, say)
    if ('path' in outcome) return outcome.path
    said = outcome.output
  }

  const yourself =
    'install chromium-headless-shell, chromium or Google Chrome, or name a browser in TABWIRE_BROWSER_PATH'
  switch (classifyFailure(said)) {
    case 'network':
      throw new SetupFailed(
        `No browser is here and none could be downloaded, for want of a network: check the connection, or ${yourself}, and run the command again.`,
      )
    case 'space':
      throw new SetupFailed('The disk is full: free about 500 MB for a browser and run the command again.')
    case 'rights':
      throw new SetupFailed(
        'A browser needs system libraries that only root may install: run `sudo npx playwright install-deps chromium-headless-shell` once, and run the command again.',
      )
    default:
      say(said.trim().split('\n').slice(-20).join('\n'))
      throw new SetupFailed(`No browser could be installed (see above): ${yourself}, and run the command again.`)
  }
}
