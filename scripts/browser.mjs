import { existsSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { runCaptured } from './child.mjs'
import { SetupFailed, classifyFailure } from './failure.mjs'
import { findBrowser, SHARED_PLAYWRIGHT_DIR } from './find-browser.mjs'

function isDebianLike() {
  if (!existsSync('/etc/os-release')) return false
  return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(readFileSync('/etc/os-release', 'utf8'))
}

/** What set-up asks of the machine it runs on; the tests ask one of their own making. */
export const THIS_MACHINE = {
  env: process.env,
  isRoot: process.getuid?.() === 0,
  isDebianLike: isDebianLike(),
  run: runCaptured,
  find: findBrowser,
}

/** True when the browser starts, so that it has every library it needs. */
async function starts(machine, path) {
  return (await machine.run(path, ['--version'])).code === 0
}

/**
 * `playwright install --with-deps chromium-headless-shell` in two steps: the download first, so that a machine that
 * cannot reach it does not install some dozens of libraries for nothing, and one that has them needs no rights.
 */
async function installByPlaywright(machine, root, core, options, say) {
  const { env } = options
  if (machine.isRoot && !env.PLAYWRIGHT_BROWSERS_PATH) {
    env.PLAYWRIGHT_BROWSERS_PATH = SHARED_PLAYWRIGHT_DIR
    // Whatever root's umask is, other users must be able to run it: the browser does not run as root.
    process.umask(0o022)
  }
  const cli = join(root, 'node_modules', 'playwright', 'cli.js')
  say('no browser found: downloading Playwright’s headless Chromium (about 120 MB)')
  const download = await machine.run(process.execPath, [cli, 'install', 'chromium-headless-shell'], options)
  const found = machine.find(env, core)
  if (download.code !== 0 || found?.origin !== 'playwright') return { output: download.output }
  if (await starts(machine, found.path)) return found

  say('installing the system libraries that it needs')
  // Playwright asks sudo for the right; without a terminal to ask on it fails at once, as it should.
  const libraries = await machine.run(process.execPath, [cli, 'install-deps', 'chromium-headless-shell'], options)
  if (await starts(machine, found.path)) return found
  // Else it would be found, and not run, for ever.
  rmSync(dirname(dirname(found.path)), { recursive: true, force: true })
  return { output: libraries.output }
}

async function installByApt(machine, core, options, say) {
  say('that did not work; installing Debian’s package chromium-headless-shell')
  const update = await machine.run('apt-get', ['update', '-q'], options)
  const packages = ['chromium-headless-shell', 'fonts-liberation']
  const flags = ['-q', '-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120']
  const install = await machine.run('apt-get', ['install', ...flags, ...packages], options)
  const found = machine.find(machine.env, core)
  return found && (await starts(machine, found.path)) ? found : { output: update.output + install.output }
}

/**
 * How much of the latest download is there, as Playwright prints it.
 *
 * @param {string} output
 */
function shareDone(output) {
  const percent = output.match(/\d+(?=% of )/g)?.at(-1)
  return percent === undefined ? '' : `, ${percent} % downloaded`
}

/** Sees to it that the server finds the same: it asks Playwright, which looks below root's home unless it is told. */
function use(machine, { path }) {
  if (path.startsWith(`${SHARED_PLAYWRIGHT_DIR}/`)) machine.env.PLAYWRIGHT_BROWSERS_PATH = SHARED_PLAYWRIGHT_DIR
  return path
}

/**
 * A browser for the sessions: one that is there, else one installed now.
 *
 * @param {string} root
 * @param {(line: string) => void} say
 * @returns {Promise<string>} its path
 */
export async function ensureBrowser(root, say, machine = THIS_MACHINE) {
  const core = join(root, 'node_modules', 'playwright-core')
  const named = machine.env.TABWIRE_BROWSER_PATH?.trim()
  const found = machine.find(machine.env, core)
  if (found) return use(machine, found)
  if (named) {
    throw new SetupFailed(
      `TABWIRE_BROWSER_PATH names ${named}, which is no executable file: correct it, or unset it to have a browser found or installed.`,
    )
  }

  const options = {
    env: { ...machine.env, DEBIAN_FRONTEND: 'noninteractive' },
    stillWorking: (seconds, output) => say(`still installing a browser (${seconds} s${shareDone(output)})`),
  }
  let outcome = await installByPlaywright(machine, root, core, options, say)
  if ('path' in outcome) return use(machine, outcome)
  if (machine.isDebianLike && machine.isRoot) {
    outcome = await installByApt(machine, core, options, say)
    if ('path' in outcome) return use(machine, outcome)
  }
  throw explain(outcome.output, say)
}

function explain(output, say) {
  const yourself =
    'install chromium-headless-shell, chromium or Google Chrome, or name a browser in TABWIRE_BROWSER_PATH'
  switch (classifyFailure(output)) {
    case 'network':
      return new SetupFailed(
        `No browser is here and none could be downloaded, for want of a network: check the connection, or ${yourself}, and run the command again.`,
      )
    case 'space':
      return new SetupFailed('The disk is full: free about 500 MB for a browser and run the command again.')
    case 'rights':
      return new SetupFailed(
        'A browser needs system libraries that only root may install: run `sudo npx playwright install-deps chromium-headless-shell` once, and run the command again.',
      )
    default:
      say(output.trim().split('\n').slice(-20).join('\n'))
      return new SetupFailed(`No browser could be installed (see above): ${yourself}, and run the command again.`)
  }
}
