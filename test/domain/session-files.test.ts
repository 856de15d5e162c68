import { execFileSync } from 'node:child_process'
import { link, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Artifacts } from '../../src/domain/artifacts/artifacts.ts'
import { SessionFiles } from '../../src/domain/session/artifact-recorder.ts'
import { createLogger } from '../../src/logger.ts'

let folder: string
let kept: string[]
let files: SessionFiles

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tw-files-'))
  kept = []
  const keep: Artifacts['keep'] = async (artifact, content) => {
    kept.push(await text(content))
    return { ...artifact, id: 'kept', sizeBytes: 1, sha256: '', createdAt: 1 }
  }
  files = new SessionFiles({ id: 's', owner: 'o' }, { keep } as Artifacts, () => {}, createLogger('silent'))
})

afterEach(() => rm(folder, { recursive: true }))

const keepFile = (name: string) =>
  files.keepFile({ kind: 'DOWNLOAD', name, contentType: 'text/plain', pageId: null, path: join(folder, name) })

test('a file that the browser made is kept', async () => {
  await writeFile(join(folder, 'plain'), 'bytes')
  expect(await keepFile('plain')).toEqual({ artifactId: 'kept', failure: null })
  expect(kept).toEqual(['bytes'])
})

test.each<[string, (path: string, ours: string) => Promise<unknown> | undefined]>([
  ['a link to a file of ours', (path, ours) => symlink(ours, path)],
  ['a second name of a file of ours', (path, ours) => link(ours, path)],
  ['a link to nothing', (path) => symlink('/no/such/file', path)],
  ['a device', (path) => symlink('/dev/zero', path)],
  ['a folder', (path) => mkdir(path)],
  ['nothing', () => undefined],
  // Whoever opened it to read would wait for somebody to write.
  ['a pipe that nobody writes to', (path) => void execFileSync('mkfifo', [path])],
])('%s in its place is not read', async (_, make) => {
  const ours = join(folder, 'ours')
  await writeFile(ours, 'secret')
  await make(join(folder, 'hostile'), ours)
  expect(await keepFile('hostile')).toEqual({ artifactId: null, failure: 'it could not be kept' })
  expect(kept).toEqual([])
})
