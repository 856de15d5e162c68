import { spawnSync } from 'node:child_process'
import { lchownSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, type Stats } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { browsersDirectory } from '../../../src/adapters/playwright/launch/orphan-reaper.ts'
import { startActionPages, type ActionSitePages } from '../../support/site-actions.ts'
import { take } from '../../support/take-steps.ts'
import { startTestPool } from './test-pool.ts'

const isRoot = process.getuid?.() === 0
const NOBODY = 65_534
const GROUP_OR_OTHERS_WRITE = 0o022

let site: ActionSitePages

beforeAll(async () => {
  site = await startActionPages()
})

afterAll(() => site.close())

/** Everything below a folder, by its path. */
function allBelow(folder: string): Map<string, Stats> {
  const found = new Map<string, Stats>()
  // Files and folders of a browser come and go.
  for (const name of namesIn(folder)) {
    const path = join(folder, name)
    const stats = lstatSync(path, { throwIfNoEntry: false })
    if (!stats) continue
    found.set(path, stats)
    if (stats.isDirectory()) for (const [inner, its] of allBelow(path)) found.set(inner, its)
  }
  return found
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

// Otherwise the browser runs as the same user, without isolation to test.
describe.skipIf(!isRoot)('where the browser has a user of its own (only root gives it one)', () => {
  test('nothing that we write lies where it could put something else', async () => {
    const pool = await startTestPool({ warm: 0 })
    const { session, recorder } = await pool.start({ record: ['TRACE', 'VIDEO'] })
    await take(session, { navigate: { url: `${site.url}/attachment` } })
    await expect.poll(() => recorder.of('DOWNLOAD')).toMatchObject([{ artifactId: 'artifact-1' }])
    expect((await take(session, { navigate: { url: `${site.url}/files` } })).error).toBeNull()
    const given = { name: 'given.txt', contentType: 'text/plain', sizeBytes: 5 }
    const upload = { upload: { target: { css: '#file' }, artifactIds: ['a'] } }
    const files = [{ ...given, open: async () => Readable.from(['hello']) }]
    expect((await take(session, upload, { files })).error).toBeNull()
    // The page reads the file asynchronously.
    const shown = async () => (await take(session, { extract: { target: { css: '#out' } } })).result
    await expect.poll(shown).toBe('given.txt:text/plain:hello')

    const [dir] = readdirSync(pool.directory).map((name) => join(pool.directory, name))
    // A video starts with the first frame of the page.
    await expect.poll(() => [...allBelow(dir!).keys()].some((path) => path.endsWith('.webm'))).toBe(true)
    const all = allBelow(dir!)
    const uid = all.get(join(dir!, 'downloads'))!.uid
    expect(uid).not.toBe(0)
    const ours = [...all].filter(([, stats]) => stats.uid === 0)
    const names = ours.map(([path]) => relative(dir!, path)).join('\n')
    for (const written of [
      /^recordings\/trace-.*\.trace$/m,
      /^recordings\/resources\/.+/m,
      /^recordings\/.*\.webm$/m,
      /^uploads\/step-.*\/0\/given.txt$/m,
    ]) {
      expect(names).toMatch(written)
    }
    const writable = ours.filter(([, { mode }]) => (mode & GROUP_OR_OTHERS_WRITE) !== 0)
    expect(writable.map(([path]) => path)).toEqual([])
    const ownerOf = (path: string) => (all.get(path) ?? lstatSync(path)).uid
    expect(ours.map(([path]) => path).filter((path) => ownerOf(dirname(path)) !== 0)).toEqual([])

    const asBrowser = (script: string) =>
      spawnSync('sh', ['-c', script], { cwd: dir, uid, gid: uid, encoding: 'utf8' }).status
    expect(asBrowser('echo mine > downloads/x && rm downloads/x')).toBe(0)
    expect(asBrowser('cat uploads/step-*/0/given.txt')).not.toBe(0)
    for (const attack of [
      'mv recordings away',
      'mv downloads away',
      'ln -s /etc link',
      'ln -s /etc uploads/link',
      'mv uploads/step-* uploads/away',
      'ls recordings',
      'ls uploads',
    ]) {
      expect({ attack, status: asBrowser(attack) }).not.toEqual({ attack, status: 0 })
    }
    const stranger = spawnSync('ls', ['downloads'], { cwd: dir, uid: NOBODY, gid: NOBODY })
    expect(stranger.status).not.toBe(0)
    await session.close(1_000)
    await pool.close()
  })

  test.each([
    ['folder', (path: string) => mkdirSync(path)],
    ['link', (path: string) => symlinkSync(tmpdir(), path)],
  ])('a %s of another user in the place of theirs is not used', async (_, make) => {
    const tempRoot = mkdtempSync(join(tmpdir(), 'tw-'))
    onTestFinished(() => rmSync(tempRoot, { recursive: true }))
    const pool = await startTestPool({ warm: 0, tempRoot, machineId: 'mine' })
    const path = browsersDirectory(tempRoot, 'mine')
    await expect.poll(() => lstatSync(path, { throwIfNoEntry: false })).toBeDefined()
    rmSync(path, { recursive: true })
    make(path)
    lchownSync(path, NOBODY, NOBODY)
    await expect(pool.start()).rejects.toThrow(`${path} belongs to another user`)
    rmSync(path, { recursive: true })
    await pool.pool.close()
  })
})
