import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createBrowserPipes } from '../../../src/adapters/playwright/cdp/pipe/browser-pipes.ts'
import { findBrowserExecutable } from '../../../src/adapters/playwright/launch/browser-executable.ts'
import { BrowsersDirectory } from '../../../src/adapters/playwright/launch/browsers-directory.ts'
import { openBrowser } from '../../../src/adapters/playwright/launch/open-browser.ts'
import { NO_DEADLINE } from '../../support/time-limits.ts'
import { logger } from './test-pool.ts'

test('the browser writes no line of a page to its own output', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tw-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const executable = findBrowserExecutable(process.env['TABWIRE_BROWSER_PATH'] ?? null)
  const mode = { executable, sandboxed: false, firstUid: null, ownUids: false }
  const parent = new BrowsersDirectory(directory, logger)
  const { process: browser, page } = await openBrowser(mode, parent, createBrowserPipes(), null, logger, NO_DEADLINE)
  await page.evaluate('for (let index = 0; index < 20; index += 1) console.error(`line ${index} of the page`)')
  browser.connection.notify('Browser.close')
  await browser.exited
  await browser.close(0)
  expect(browser.lastOutput()).not.toContain('of the page')
})
