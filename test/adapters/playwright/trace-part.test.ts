import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import yauzl from 'yauzl'
import { archiveTrace } from '../../../src/adapters/playwright/captures/partial-trace.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tw-trace-'))
})

afterEach(async () => {
  await rm(folder, { recursive: true })
})

async function namesIn(path: string): Promise<string[]> {
  const archive = await promisify<Buffer, yauzl.Options, yauzl.ZipFile>(yauzl.fromBuffer)(await readFile(path), {})
  const names: string[] = []
  archive.on('entry', (entry: yauzl.Entry) => names.push(entry.fileName))
  await new Promise((resolve) => archive.once('end', resolve))
  return names
}

test('a trace that is still being written is archived as it was found', async () => {
  const path = join(folder, 'trace.zip')
  await mkdir(join(folder, 'resources'))
  await writeFile(join(folder, 'x.trace'), '{"line":1}\n'.repeat(200_000))
  await writeFile(join(folder, 'x.network'), '')
  await writeFile(join(folder, 'resources', 'a.css'), 'body {}')
  let isDone = false
  const archiving = archiveTrace(folder, 'x', path, null).finally(() => {
    isDone = true
  })
  while (!isDone) await appendFile(join(folder, 'x.trace'), '{"line":2}\n'.repeat(1000))
  await archiving
  expect(await namesIn(path)).toEqual(['trace.trace', 'trace.network', 'resources/a.css'])
})

test('a folder with nothing in it makes an empty archive', async () => {
  const path = join(folder, 'trace.zip')
  await archiveTrace(folder, 'x', path, null)
  expect(await namesIn(path)).toEqual([])
})
