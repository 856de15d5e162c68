import { chmod, link, mkdir, mkdtemp, readFile, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ClientFolder } from '../../../src/adapters/playwright/files/client-folder.ts'

const uid = process.getuid?.() ?? 0
let dir: string
let own: string
let source: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tabwire-test-'))
  own = await mkdtemp(join(dir, 'playwright-artifacts-'))
  source = join(dir, 'downloaded')
  await writeFile(source, 'its contents')
})

afterEach(() => rm(dir, { recursive: true }))

describe.runIf(process.platform === 'linux')('the folder of a client', () => {
  test('takes a copy, which is the client’s alone', async () => {
    const folder = await ClientFolder.find(own, uid)
    await folder!.copy(source, 'guid')
    expect(await readFile(join(own, 'guid'), 'utf8')).toBe('its contents')
    expect(await stat(join(own, 'guid'))).toMatchObject({ uid, nlink: 1 })
    expect((await stat(join(own, 'guid'))).mode & 0o777).toBe(0o600)
  })

  test('is none of another name, of another user, open to others, linked, or absent', async () => {
    await mkdir(join(dir, 'somewhere'), { mode: 0o700 })
    await symlink(own, join(dir, 'playwright-artifacts-linked'))
    const open = await mkdtemp(join(dir, 'playwright-artifacts-'))
    await chmod(open, 0o755)
    for (const path of [
      join(dir, 'somewhere'),
      join(dir, 'playwright-artifacts-linked'),
      open,
      `${own}gone`,
      'playwright-artifacts-x',
      source,
    ]) {
      expect(await ClientFolder.find(path, uid)).toBeNull()
    }
    expect(await ClientFolder.find(own, uid + 1)).toBeNull()
  })

  test('writes over nothing, follows no link, and is not taken for one that came in its place', async () => {
    const folder = await ClientFolder.find(own, uid)
    const victim = join(dir, 'victim')
    await writeFile(victim, 'kept')
    await symlink(victim, join(own, 'linked'))
    await symlink(join(dir, 'made'), join(own, 'dangling'))
    await writeFile(join(own, 'there'), 'kept')
    for (const name of ['linked', 'dangling', 'there'])
      await expect(folder!.copy(source, name)).rejects.toThrow('EEXIST')
    await rename(own, `${own}moved`)
    await symlink(dir, own)
    await expect(folder!.copy(source, 'guid')).rejects.toThrow()
    expect(await readFile(victim, 'utf8')).toBe('kept')
    expect(await readdir(dir)).not.toContain('made')
    expect(await readdir(dir)).not.toContain('guid')
  })

  test('is given no file but a plain one', async () => {
    const folder = await ClientFolder.find(own, uid)
    await symlink(source, join(dir, 'link'))
    await expect(folder!.copy(join(dir, 'link'), 'a')).rejects.toThrow('ELOOP')
    await link(source, join(dir, 'second'))
    await expect(folder!.copy(source, 'b')).rejects.toThrow('not a regular file')
    await expect(folder!.copy(join(dir, 'missing'), 'c')).rejects.toThrow('ENOENT')
    expect(await readdir(own)).toEqual([])
  })
})
