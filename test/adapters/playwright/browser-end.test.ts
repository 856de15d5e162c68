import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createBrowserPipes } from '../../../src/adapters/playwright/cdp/pipe/browser-pipes.ts'
import { BrowserProcess } from '../../../src/adapters/playwright/launch/browser-process.ts'
import { BrowsersDirectory } from '../../../src/adapters/playwright/launch/browsers-directory.ts'
import { faultOwner, ownedBy, type FaultOwner } from '../../../src/fault-owner.ts'
import { logger } from './test-pool.ts'

test.each([
  ['at its deadline', 20],
  ['at once', 0],
])(
  'the end of a browser that does not end by itself, %s, belongs to the browser, whoever asks for it',
  async (_, ms) => {
    const directory = await mkdtemp(join(tmpdir(), 'tw-'))
    onTestFinished(() => rm(directory, { recursive: true }))
    const executable = join(directory, 'browser')
    await writeFile(executable, '#!/bin/sh\nexec sleep 600\n')
    await chmod(executable, 0o755)
    const owner: FaultOwner = { fail: vi.fn() }
    const parent = new BrowsersDirectory(join(directory, 'browsers'), logger)
    const mode = { executable, sandboxed: false, firstUid: null, ownUids: false }
    const browser = await ownedBy(owner, () => BrowserProcess.start(mode, parent, createBrowserPipes(), logger))
    const removing = vi.spyOn(parent, 'remove')
    const owners: unknown[] = []
    removing.mockImplementation(async () => void owners.push(faultOwner()))
    await browser.close(ms)
    expect(owners).toEqual([owner])
  },
)
