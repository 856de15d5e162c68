import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { isFinishedWebm } from '../../../src/adapters/playwright/captures/webm.ts'

/** The start of ffmpeg's output, up to the size of the rest; then a part of the rest. */
const webm = (size: string) =>
  Buffer.from(`1a45dfa39f4286810142f7810142f2810442f381084282847765626d428781024285810218538067${size}114d9b74`, 'hex')

test.each<[string, Buffer | null, boolean]>([
  ['that says how long it is', webm('0100000000002ac6'), true],
  ['that goes on', webm('01ffffffffffffff'), false],
  ['of which only a little is written', webm('0100000000002ac6').subarray(0, 46), false],
  ['of which nothing is written', Buffer.alloc(0), false],
  ['that is not there', null, false],
])('a video %s', async (_, bytes, isFinished) => {
  const folder = await mkdtemp(join(tmpdir(), 'tw-webm-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  if (bytes) await writeFile(join(folder, 'x.webm'), bytes)
  expect(await isFinishedWebm(join(folder, 'x.webm'))).toBe(isFinished)
})
