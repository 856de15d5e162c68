import { accessSync, constants, existsSync, mkdirSync, symlinkSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { playwrightsFfmpeg } from '../library/playwright-files.ts'
import { processesWith } from '../launch/orphan-reaper.ts'

const MISSING =
  'VIDEO needs ffmpeg, which is not installed here: run "npx playwright install ffmpeg", or install the package ffmpeg'

/**
 * Provides an ffmpeg where Playwright looks for its own, the only one that it uses for videos: links an installed one
 * there. Null: there is one; otherwise why there is none, for people.
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
    return `VIDEO needs ${wanted}, which cannot be created (${(error as Error).message}): link it to ${installed}`
  }
}

/**
 * Ends the ffmpeg that writes this video; Playwright itself does so only at the end of the page. On SIGTERM, ffmpeg
 * completes the video.
 */
export async function endFfmpeg(videoPath: string, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  for (const pid of await processesWith(videoPath)) {
    try {
      process.kill(pid, signal)
    } catch {
      // It has exited meanwhile.
    }
  }
}

/** Whether an ffmpeg that writes this video is still running. */
export async function isBeingWritten(videoPath: string): Promise<boolean> {
  return (await processesWith(videoPath)).length > 0
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
