import { existsSync, readdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { THIS_MACHINE } from './browser.mjs'
import { isExecutableFile, SHARED_PLAYWRIGHT_DIR } from './find-browser.mjs'

/** Whether the server will find one: an installed one, or Playwright's own. */
function hasFfmpeg(env) {
  const onPath = (env.PATH ?? '').split(delimiter).some((folder) => isExecutableFile(join(folder, 'ffmpeg')))
  const cache = process.platform === 'darwin' ? join(homedir(), 'Library', 'Caches') : join(homedir(), '.cache')
  const folders = [env.PLAYWRIGHT_BROWSERS_PATH, SHARED_PLAYWRIGHT_DIR, join(cache, 'ms-playwright')]
  const downloaded = folders.some(
    (folder) => folder && existsSync(folder) && readdirSync(folder).some((name) => name.startsWith('ffmpeg-')),
  )
  return onPath || downloaded
}

/**
 * What videos are made with. Sessions do without, but for `record: [VIDEO]`: so where there is none to be had, set-up
 * says so and goes on.
 *
 * @param {string} root
 * @param {(line: string) => void} say
 */
export async function ensureFfmpeg(root, say, machine = { ...THIS_MACHINE, hasFfmpeg }) {
  const { env } = machine
  if (machine.hasFfmpeg(env)) return
  say('no ffmpeg found, which videos need: downloading Playwright’s')
  const options = {
    env: { ...env, DEBIAN_FRONTEND: 'noninteractive' },
    stillWorking: (seconds) => say(`still installing ffmpeg (${seconds} s)`),
  }
  const cli = join(root, 'node_modules', 'playwright', 'cli.js')
  const download = await machine.run(process.execPath, [cli, 'install', 'ffmpeg'], options)
  if (download.code === 0 && machine.hasFfmpeg(env)) return
  if (machine.isDebianLike && machine.isRoot) {
    say('that did not work; installing Debian’s package ffmpeg')
    await machine.run('apt-get', ['update', '-q'], options)
    const flags = ['-q', '-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120']
    await machine.run('apt-get', ['install', ...flags, 'ffmpeg'], options)
    if (machine.hasFfmpeg(env)) return
  }
  say('no ffmpeg could be installed: sessions cannot record VIDEO until one is')
}
