import { existsSync, readdirSync } from 'node:fs'
import files from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { BrowsersDirectory } from '../../../src/adapters/playwright/launch/browsers-directory.ts'
import { logger, startTestPool } from './test-pool.ts'

/**
 * Adds a file to a directory each time it was emptied: simulates the kernel's error, which no writer can cause
 * reliably. Returns the number of times, and a function that stops it.
 */
function keepFilled(directory: string): { refusals: () => number; end: () => void } {
  const { rm } = files
  let refusals = 0
  const removing = vi.spyOn(files, 'rm').mockImplementation(async (path, options) => {
    if (path !== directory) return await rm(path, options)
    refusals += 1
    throw Object.assign(new Error(`ENOTEMPTY: directory not empty, rmdir '${directory}'`), { code: 'ENOTEMPTY' })
  })
  syncBuiltinESMExports()
  const end = () => {
    removing.mockRestore()
    syncBuiltinESMExports()
  }
  onTestFinished(end)
  return { refusals: () => refusals, end }
}

test('the directory of a browser that something still writes into is removed once it does not any more', async () => {
  const testPool = await startTestPool({ warm: 0, tempLimitBytes: 64 * 1024 })
  const { session } = await testPool.start()
  const [name] = readdirSync(testPool.directory)
  const directory = join(testPool.directory, name!)
  const writer = keepFilled(directory)
  await session.close(1_000)
  await expect.poll(() => writer.refusals()).toBeGreaterThan(1)
  expect(existsSync(directory)).toBe(true)
  await expect.poll(() => testPool.pool.refusal()).toMatch(/^The temporary folder is full: /)
  writer.end()
  await expect.poll(() => testPool.pool.refusal()).toBeNull()
  // There is room as soon as its files are removed.
  await expect.poll(() => existsSync(directory)).toBe(false)
  await testPool.close()
})

test('what could not be removed is tried once more at the end, and then no more', async () => {
  const path = await files.mkdtemp(join(tmpdir(), 'tw-'))
  onTestFinished(() => files.rm(path, { recursive: true, force: true }))
  const parent = new BrowsersDirectory(path, logger)
  const [one, other] = [await files.mkdtemp(join(path, 'browser-')), await files.mkdtemp(join(path, 'browser-'))]
  const writer = keepFilled(one)
  await parent.remove(one)
  await parent.remove(other)
  expect(readdirSync(path)).toHaveLength(1)
  writer.end()
  await parent.close()
  expect(existsSync(path)).toBe(false)
})
