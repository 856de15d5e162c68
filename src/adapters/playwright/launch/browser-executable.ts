import { accessSync, constants, realpathSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { BrowserLaunchFailed } from '../../../ports/browser/browser.ts'
import { playwrightsBrowsers } from '../library/playwright-files.ts'

/** Names under which distributions install a browser of the Chromium family; the lightest first. */
const INSTALLED = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/** Usual paths of browsers that are not on the PATH. */
const WELL_KNOWN = [
  '/usr/lib/chromium/chromium-headless-shell',
  '/usr/lib/chromium/chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

/**
 * The browser to start: the configured one; Playwright's own; an installed chromium-headless-shell, Chromium or Google
 * Chrome. Throws BrowserLaunchFailed with one sentence that says what to do.
 */
export function findBrowserExecutable(configured: string | null, env: NodeJS.ProcessEnv = process.env): string {
  if (configured !== null) {
    if (isExecutable(configured)) return configured
    throw new BrowserLaunchFailed(
      `TABWIRE_BROWSER_PATH names ${configured}, which is no executable file: correct it, or unset it to use an installed browser`,
    )
  }
  for (const candidate of candidates(env)) {
    const path = isExecutable(candidate) ? unwrapped(candidate) : null
    if (path !== null) return path
  }
  throw new BrowserLaunchFailed(
    'no browser was found: run "npx playwright install --with-deps chromium-headless-shell", or set TABWIRE_BROWSER_PATH to an installed Chromium or Google Chrome',
  )
}

function candidates(env: NodeJS.ProcessEnv): string[] {
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder.startsWith('/'))
  const [shell = '', full = '', ...rest] = WELL_KNOWN
  return [
    ...playwrightsBrowsers(),
    shell,
    ...INSTALLED.flatMap((name) => folders.map((folder) => join(folder, name))),
    full,
    ...rest,
  ]
}

/**
 * Debian's /usr/bin/chromium is a shell script that starts the real one. A signal would reach only the shell, and the
 * script would add its own desktop flags.
 */
function unwrapped(path: string): string {
  if (path === '/usr/bin/chromium' && isExecutable('/usr/lib/chromium/chromium')) return '/usr/lib/chromium/chromium'
  return realpathSync(path)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
