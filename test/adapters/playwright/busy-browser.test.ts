import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createBrowserPipes } from '../../../src/adapters/playwright/cdp/pipe/browser-pipes.ts'
import { BrowserPriority } from '../../../src/adapters/playwright/launch/browser-priority.ts'
import { BrowserProcess } from '../../../src/adapters/playwright/launch/browser-process.ts'
import { BrowsersDirectory } from '../../../src/adapters/playwright/launch/browsers-directory.ts'
import { logger } from './test-pool.ts'

/** Duration of each poll. */
const LOOK_MS = 50

test('the time that messages of a browser take counts against its own priority', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tw-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const parent = new BrowsersDirectory(join(directory, 'browsers'), logger)
  const pipes = createBrowserPipes()
  const start = async (name: string, script: string) => {
    const executable = join(directory, name)
    await writeFile(executable, `#!/bin/sh\n${script}\nexec sleep 600\n`)
    await chmod(executable, 0o755)
    const mode = { executable, sandboxed: false, firstUid: null, ownUids: false }
    const browser = await BrowserProcess.start(mode, parent, pipes, logger)
    onTestFinished(() => browser.close(0))
    return browser
  }
  let now = performance.now()
  vi.spyOn(performance, 'now').mockImplementation(() => (now += LOOK_MS))
  onTestFinished(() => void vi.restoreAllMocks())
  const spent = vi.spyOn(BrowserPriority.prototype, 'spent')
  const reported = async (from: number) => {
    await expect.poll(() => spent.mock.calls.length, { timeout: 60_000 }).toBeGreaterThan(from)
    for (const [milliseconds] of spent.mock.calls.slice(from)) expect(milliseconds).toBeGreaterThanOrEqual(LOOK_MS)
    return new Set(spent.mock.contexts.slice(from))
  }

  await start('silent', '')
  const message = JSON.stringify({ method: 'Target.targetInfoChanged', params: {} })
  const talk = `printf '%s\\0' '${message}' >&4`
  await start('first', talk)
  const first = await reported(0)
  expect(first.size).toBe(1)
  const before = spent.mock.calls.length
  await start('second', talk)
  const second = await reported(before)
  expect(second.size).toBe(1)
  expect([...second][0]).not.toBe([...first][0])
})
