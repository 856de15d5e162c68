import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { chromium } from 'playwright'

/**
 * Locations of files that Playwright has no API for: in its package, beside its browsers, and in the folder of a trace.
 * A test (playwright-files.test.ts) fails when a new version moves them.
 */

const playwrightCore = () => dirname(createRequire(import.meta.url).resolve('playwright-core/package.json'))

/** The files of the trace viewer page. */
export const traceViewerFolder = (): string => join(playwrightCore(), 'lib', 'vite', 'traceViewer')

/** The file with the headers of requests. */
export const NETWORK_EXTENSION = 'network'
/** The files of a trace: <name>.<extension>. */
export const TRACE_EXTENSIONS: readonly string[] = ['trace', NETWORK_EXTENSION, 'stacks']

/** Folders beside them, as the trace viewer expects them in the archive. */
export const TRACE_FOLDERS: readonly string[] = ['resources', 'screencast', 'aria', 'screenshots']

/** Playwright reports the path of its full Chromium; its headless shell of the same revision is beside it. */
export function playwrightsBrowsers(): string[] {
  let full: string
  try {
    full = chromium.executablePath()
  } catch {
    // Playwright has no build for this system.
    return []
  }
  const shellFolder = full.replace(/chromium-(\d+)/, 'chromium_headless_shell-$1')
  const shells = [
    shellFolder.replace(/chrome-(linux64|linux)\/chrome$/, 'chrome-headless-shell-$1/chrome-headless-shell'),
    shellFolder.replace(/chrome-(linux64|linux)\/chrome$/, 'chrome-$1/headless_shell'),
    shellFolder.replace(/chrome-(mac[^/]*)\/.*$/, 'chrome-headless-shell-$1/chrome-headless-shell'),
  ]
  return [...shells.filter((path) => path !== shellFolder), full]
}

/** Playwright's ffmpeg for videos, installed or not; null if Playwright has no builds for this system. */
export function playwrightsFfmpeg(): string | null {
  try {
    const list = join(playwrightCore(), 'browsers.json')
    const { browsers } = JSON.parse(readFileSync(list, 'utf8')) as { browsers: { name: string; revision: string }[] }
    const revision = browsers.find(({ name }) => name === 'ffmpeg')?.revision
    // Beside the browsers: <folder>/chromium-1234/….
    const [, folder] = /^(.*)[\\/]chromium-\d+[\\/]/.exec(chromium.executablePath()) ?? []
    if (folder === undefined || revision === undefined) return null
    return join(folder, `ffmpeg-${revision}`, process.platform === 'darwin' ? 'ffmpeg-mac' : 'ffmpeg-linux')
  } catch {
    return null
  }
}
