import { execFile } from 'node:child_process'
import { chown, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DirectoryRefused, OwnDirectory } from '../../../src/adapters/playwright/files/own-directory.ts'
import { NO_DEADLINE } from '../../support/time-limits.ts'

const uid = process.getuid?.() ?? 0
let dir: string
let own: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tabwire-test-'))
  own = join(dir, 'own')
  await mkdir(join(own, 'below'), { recursive: true })
  await writeFile(join(own, 'below', 'a.txt'), 'its contents')
})

afterEach(() => rm(dir, { recursive: true }))

describe.runIf(process.platform === 'linux')('a directory of a client', () => {
  test('is none that is linked, absent, a file, a relative path, or of another user', async () => {
    await symlink(own, join(dir, 'linked'))
    for (const path of [join(dir, 'linked'), join(dir, 'gone'), join(own, 'below', 'a.txt'), 'src', '/', ''])
      expect(await OwnDirectory.open(path, path === '/' ? -1 : uid)).toBeNull()
    expect(await OwnDirectory.open(own, uid + 1)).toBeNull()
  })

  test('has the files of all directories below it', async () => {
    await using directory = await OwnDirectory.open(`${own}/`, uid)
    expect(directory!.name).toBe('own')
    expect(await directory!.files()).toEqual([{ segments: ['below', 'a.txt'], sizeBytes: 12 }])
  })

  test('is refused with anything in it but plain files and directories of that user, and does not wait for it', async () => {
    const place = join(own, 'below', 'odd')
    const odd: Record<string, () => Promise<unknown>> = {
      link: () => symlink(join(own, 'below', 'a.txt'), place),
      pipe: () => promisify(execFile)('mkfifo', [place]),
    }
    // Only root can give a file to somebody else.
    if (uid === 0) odd['foreign'] = () => writeFile(place, 'x').then(() => chown(place, 1234, 1234))
    for (const make of Object.values(odd)) {
      await make()
      await using directory = await OwnDirectory.open(own, uid)
      await expect(directory!.files()).rejects.toThrow('"below/odd" in it')
      await rm(place)
    }
  })

  test('is refused with too many files, or too many levels', async () => {
    for (let index = 0; index < 1_000; index += 1) await writeFile(join(own, String(index)), '')
    await using many = await OwnDirectory.open(own, uid)
    await expect(many!.files()).rejects.toThrow('more than 1000 files and directories')
    await mkdir(join(dir, 'empty'))
    for (let index = 0; index <= 1_000; index += 1) await mkdir(join(dir, 'empty', String(index)))
    await using empty = await OwnDirectory.open(join(dir, 'empty'), uid)
    await expect(empty!.files()).rejects.toThrow('more than 1000 files and directories')
    await mkdir(join(dir, 'deep', ...Array.from({ length: 16 }, () => 'd')), { recursive: true })
    await using deep = await OwnDirectory.open(join(dir, 'deep'), uid)
    await expect(deep!.files()).rejects.toThrow('more than 16 directories deep')
  })

  test('is copied as it was listed, whatever is put in its place', async () => {
    await using directory = await OwnDirectory.open(own, uid)
    const [file] = await directory!.files()
    await rename(own, join(dir, 'moved'))
    await symlink('/etc', own)
    await directory!.copy(file!, join(dir, 'copy'), NO_DEADLINE)
    expect(await readFile(join(dir, 'copy'), 'utf8')).toBe('its contents')
    await writeFile(join(dir, 'moved', 'below', 'a.txt'), 'it has grown meanwhile')
    await expect(directory!.copy(file!, join(dir, 'second'), NO_DEADLINE)).rejects.toThrow(DirectoryRefused)
    await rename(join(dir, 'moved', 'below'), join(dir, 'below'))
    await symlink(join(dir, 'below'), join(dir, 'moved', 'below'))
    await expect(directory!.copy(file!, join(dir, 'third'), NO_DEADLINE)).rejects.toThrow('"below" in it is a link')
  })
})
