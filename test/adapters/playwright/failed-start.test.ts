import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createBrowserPipes } from '../../../src/adapters/playwright/cdp/pipe/browser-pipes.ts'
import { BrowserProcess } from '../../../src/adapters/playwright/launch/browser-process.ts'
import { BrowsersDirectory } from '../../../src/adapters/playwright/launch/browsers-directory.ts'
import { logger } from './test-pool.ts'

const MODE = { executable: '/bin/sleep', sandboxed: false, firstUid: null, ownUids: false }

test('a browser that cannot be started says why, and leaves nothing, although its proxy is not closed', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'tw-start-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const parent = new BrowsersDirectory(dir, logger)
  const proxy = {
    port: 1,
    unreportedCount: 0,
    assign: () => Promise.resolve(),
    close: () => Promise.reject(new Error('its thread does not answer')),
  }
  const fault = Promise.reject<never>(new Error('a listener threw'))
  // It is awaited only once the folders are made.
  fault.catch(() => undefined)
  const starting = BrowserProcess.start(MODE, parent, createBrowserPipes(), logger, proxy, fault)
  await expect(starting).rejects.toThrow('/bin/sleep could not be started: a listener threw')
  expect(await readdir(dir)).toEqual([])
})
