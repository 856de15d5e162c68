import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type BrowserContext } from 'playwright'
import { findBrowserExecutable } from '../src/adapters/playwright/launch/browser-executable.ts'

/** A browser started the usual way for CDP clients: with a debugging port. */
export interface PortBrowser extends AsyncDisposable {
  context: BrowserContext
  /** URL of the browser's WebSocket. */
  url: string
}

export async function startPortBrowser(): Promise<PortBrowser> {
  const directory = await mkdtemp(join(tmpdir(), 'tabwire-bench-port-'))
  const context = await chromium.launchPersistentContext(directory, {
    executablePath: findBrowserExecutable(null),
    args: ['--remote-debugging-port=0'],
    viewport: { width: 1920, height: 1080 },
  })
  const [port, path] = (await readFile(join(directory, 'DevToolsActivePort'), 'utf8')).split('\n')
  return {
    context,
    url: `ws://127.0.0.1:${port}${path}`,
    async [Symbol.asyncDispose]() {
      await context.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
