import { existsSync, readFileSync } from 'node:fs'
import { accessSync, constants, mkdirSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join } from 'node:path'
import { chromium } from 'playwright'
import { processesWith } from '../launch/orphan-reaper.ts'

const MISSING =
  'VIDEO needs ffmpeg, which is not installed here: run "npx playwright install ffmpeg", or install the package ffmpeg'

/**
 * Sees to it that Playwright finds an ffmpeg, where it makes videos with one of its own only: an installed one is put
 * where it looks, by a link. Null when there is one; else why there is none, for people.
 */
export function provideFfmpeg(env: NodeJS.ProcessEnv = process.env): string | null {
  const wanted = playwrightsFfmpeg()
  if (wanted === null) return MISSING
  if (existsSync(wanted)) return null
  const installed = (env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'ffmpeg'))
    .find(isExecutable)
  if (!installed) return MISSING
  try {
    mkdirSync(dirname(wanted), { recursive: true })
    symlinkSync(installed, wanted)
    return null
  } catch (error) {
    // Another server on this machine may have been faster.
    if (existsSync(wanted)) return null
    return `VIDEO needs ${wanted}, which cannot be made (${(error as Error).message}): link it to ${installed}`
  }
}

/**
 * Ends the ffmpeg that writes this video, which Playwright itself would do at the end of the page alone. Asked by
 * SIGTERM, ffmpeg ends the video properly.
 */
export async function endFfmpeg(videoPath: string, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  for (const pid of await processesWith(videoPath)) {
    try {
      process.kill(pid, signal)
    } catch {
      // It has ended meanwhile.
    }
  }
}

/** Whether an ffmpeg that writes this video still runs. */
export async function isBeingWritten(videoPath: string): Promise<boolean> {
  return (await processesWith(videoPath)).length > 0
}

/** Null where Playwright knows no builds for this system. */
function playwrightsFfmpeg(): string | null {
  try {
    const require = createRequire(import.meta.url)
    const list = join(dirname(require.resolve('playwright-core/package.json')), 'browsers.json')
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

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
