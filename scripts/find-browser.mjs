import { accessSync, constants, existsSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'

/**
 * Where Playwright's browsers are kept for a root that has named no place: not below root's home, which the
 * unprivileged user that the browser runs as could not enter.
 */
export const SHARED_PLAYWRIGHT_DIR = '/var/cache/tabwire/ms-playwright'

const SHELL_IN_DOWNLOAD = {
  'linux-x64': ['chrome-headless-shell-linux64', 'chrome-headless-shell'],
  'linux-arm64': ['chrome-headless-shell-linux-arm64', 'chrome-headless-shell'],
  'darwin-x64': ['chrome-headless-shell-mac-x64', 'chrome-headless-shell'],
  'darwin-arm64': ['chrome-headless-shell-mac-arm64', 'chrome-headless-shell'],
}

/** The binaries themselves before what is on PATH: that may be a shell script which hides the browser's process. */
const INSTALLED = [
  '/usr/lib/chromium/chromium-headless-shell',
  '/usr/lib/chromium/chromium',
  '/usr/lib64/chromium-browser/headless_shell',
  '/usr/lib64/chromium-browser/chromium-browser',
  '/opt/google/chrome/chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
]

const NAMES_ON_PATH = [
  'chromium-headless-shell',
  'chrome-headless-shell',
  'chromium',
  'google-chrome-stable',
  'google-chrome',
]

/** @param {string} path */
export function isExecutableFile(path) {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

function playwrightDirs(env, playwrightCore) {
  const named = env.PLAYWRIGHT_BROWSERS_PATH
  if (named === '0') return [join(playwrightCore, '.local-browsers')]
  if (named) return [resolve(named)]
  const cache =
    process.platform === 'darwin'
      ? join(homedir(), 'Library', 'Caches')
      : env.XDG_CACHE_HOME || join(homedir(), '.cache')
  const own = join(cache, 'ms-playwright')
  return process.getuid?.() === 0 ? [SHARED_PLAYWRIGHT_DIR, own] : [own]
}

/** The headless shell that this very version of Playwright downloads, if it is there whole. */
function findPlaywrightShell(env, playwrightCore) {
  const parts = SHELL_IN_DOWNLOAD[`${process.platform}-${process.arch}`]
  const list = join(playwrightCore, 'browsers.json')
  if (!parts || !existsSync(list)) return null
  const shell = JSON.parse(readFileSync(list, 'utf8')).browsers.find(({ name }) => name === 'chromium-headless-shell')
  if (!shell) return null
  for (const dir of playwrightDirs(env, playwrightCore)) {
    const download = join(dir, `chromium_headless_shell-${shell.revision}`)
    const path = join(download, ...parts)
    if (existsSync(join(download, 'INSTALLATION_COMPLETE')) && isExecutableFile(path)) return path
  }
  return null
}

function findOnPath(env) {
  for (const name of NAMES_ON_PATH) {
    for (const dir of (env.PATH ?? '').split(delimiter)) {
      const path = join(dir || '.', name)
      // A snap is confined: it cannot use a profile directory of ours.
      if (isExecutableFile(path) && !/\/snap\//.test(realpathSync(path)) && !path.startsWith('/snap/')) return path
    }
  }
  return null
}

/**
 * The browser that sessions will run in: the one named by TABWIRE_BROWSER_PATH and no other, else Playwright's own,
 * else an installed one. Null when there is none.
 *
 * @param {Record<string, string | undefined>} env
 * @param {string} playwrightCore folder of the package playwright-core
 * @returns {{ path: string, origin: 'named' | 'playwright' | 'installed' } | null}
 */
export function findBrowser(env, playwrightCore) {
  const named = env.TABWIRE_BROWSER_PATH?.trim()
  if (named) return isExecutableFile(named) ? { path: named, origin: 'named' } : null
  const own = findPlaywrightShell(env, playwrightCore)
  if (own) return { path: own, origin: 'playwright' }
  const installed = INSTALLED.find(isExecutableFile) ?? findOnPath(env)
  return installed ? { path: installed, origin: 'installed' } : null
}
