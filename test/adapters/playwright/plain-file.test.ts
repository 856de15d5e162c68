import { execFileSync } from 'node:child_process'
import { link, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openPlainFile } from '../../../src/adapters/playwright/launch/plain-file.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tw-files-'))
})

afterEach(() => rm(folder, { recursive: true }))

test('a plain file is read', async () => {
  await writeFile(join(folder, 'plain'), 'bytes')
  expect(await text(await openPlainFile(join(folder, 'plain')))).toBe('bytes')
})

test.each<[string, (path: string, ours: string) => Promise<unknown> | undefined]>([
  ['a link to a file of ours', (path, ours) => symlink(ours, path)],
  ['a second name of a file of ours', (path, ours) => link(ours, path)],
  ['a link to nothing', (path) => symlink('/no/such/file', path)],
  ['a device', (path) => symlink('/dev/zero', path)],
  ['a folder', (path) => mkdir(path)],
  ['nothing', () => undefined],
  // Opening it for reading would block until something writes.
  ['a pipe that nobody writes to', (path) => void execFileSync('mkfifo', [path])],
])('%s in its place is not read', async (_, make) => {
  const ours = join(folder, 'ours')
  await writeFile(ours, 'secret')
  await make(join(folder, 'hostile'), ours)
  await expect(openPlainFile(join(folder, 'hostile'))).rejects.toThrow()
})
