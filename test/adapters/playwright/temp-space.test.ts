import { spawnSync } from 'node:child_process'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { useTempDirectory } from '../../../src/temp-directory.ts'
import { startTestPool } from './test-pool.ts'

test('a browser that uses too much of the temporary folder loses its recordings, then ends', async () => {
  // Less than a profile has from the start.
  const testPool = await startTestPool({ warm: 0, tempLimitBytes: 64 * 1024 })
  const { session, recorder } = await testPool.start({
    record: ['VIDEO', 'TRACE'],
    viewport: { width: 320, height: 240 },
  })
  await expect
    .poll(() => recorder.of('ARTIFACT_FAILED').map(({ kind, code, partial }) => [kind, code, partial]), {
      timeout: 30_000,
    })
    .toEqual([
      ['VIDEO', 'TEMPORARY_FOLDER_FULL', true],
      ['TRACE', 'TEMPORARY_FOLDER_FULL', false],
    ])
  expect(await session.misbehaved).toMatch(
    /^The session's browser uses \d+ MiB of the temporary folder; the limit of a session is /,
  )
  await expect.poll(() => testPool.processes()).toEqual([])
  expect(testPool.pool.refusal()).toMatch(/^The temporary folder is full: /)
  await session.finishFiles(60_000)
  expect(recorder.files.map(({ kind }) => kind).toSorted()).toEqual(['VIDEO'])
  await session.close(0)
  await expect.poll(() => testPool.pool.refusal()).toBeNull()
  await testPool.close()
})

test('browsers write no core dumps, and no file above their bound; a signal for it does not end them', async () => {
  const testPool = await startTestPool({ warm: 1, tempLimitBytes: 4 * 1024 ** 3 })
  const [pid] = testPool.browsers()
  const { stdout: limits } = spawnSync('cat', [`/proc/${pid}/limits`], { encoding: 'utf8' })
  expect(limits).toMatch(/Max core file size +0 +0 /)
  expect(limits).toMatch(new RegExp(`Max file size +${2 * 1024 ** 3} +${2 * 1024 ** 3} `))
  const { stdout: status } = spawnSync('cat', [`/proc/${pid}/status`], { encoding: 'utf8' })
  const SIGXFSZ = 25
  const ignored = BigInt(`0x${/SigIgn:\s+([0-9a-f]+)/.exec(status)![1]}`)
  expect((ignored >> BigInt(SIGXFSZ - 1)) & 1n).toBe(1n)
  await testPool.close()
})

test.skipIf(process.getuid?.() !== 0)('a folder that browsers cannot reach is refused with its cure', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tw-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await chmod(folder, 0o700)
  await expect(useTempDirectory(folder)).rejects.toThrow(`run "chmod o+x ${folder}"`)
  await expect(useTempDirectory(join(folder, 'none'))).rejects.toThrow('is not an existing directory')
})
