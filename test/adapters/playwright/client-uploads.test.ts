import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { expect, onTestFinished, test } from 'vitest'
import { ClientUploads } from '../../../src/adapters/playwright/files/client-uploads.ts'

test('an upload that breaks off leaves no part of it behind, however often it is tried', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'tw-uploads-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const uploads = new ClientUploads(dir)
  const broken = async function* () {
    yield Buffer.from('the first half')
    throw new Error('the store broke off')
  }
  const upload = {
    artifactId: '1',
    name: 'report.csv',
    contentType: 'text/csv',
    sizeBytes: 28,
    open: () => Promise.resolve(Readable.from(broken())),
  }
  await expect(uploads.path(upload)).rejects.toThrow('the store broke off')
  await expect(uploads.path(upload)).rejects.toThrow('the store broke off')
  expect(await readdir(dir)).toEqual([])
  const whole = { ...upload, open: () => Promise.resolve(Readable.from(['both halves'])) }
  expect(await uploads.path(whole)).toMatch(/report\.csv$/)
})
