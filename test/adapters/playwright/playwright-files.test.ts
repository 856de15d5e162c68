import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { chromium } from 'playwright'
import { expect, onTestFinished, test } from 'vitest'
import yauzl from 'yauzl'
import {
  playwrightsBrowsers,
  playwrightsFfmpeg,
  TRACE_EXTENSIONS,
  TRACE_FOLDERS,
  traceViewerFolder,
} from '../../../src/adapters/playwright/library/playwright-files.ts'
import { findBrowserExecutable } from '../../../src/adapters/playwright/launch/browser-executable.ts'

/** Playwright's own install locations, in its order. */
async function installLocations(...names: string[]): Promise<string[]> {
  const core = dirname(createRequire(import.meta.url).resolve('playwright-core/package.json'))
  const { stdout } = await promisify(execFile)(process.execPath, [
    join(core, 'cli.js'),
    'install',
    '--dry-run',
    ...names,
  ])
  return [...stdout.matchAll(/Install location: +(.+)/g)].map(([, location]) => location!.trim())
}

test('browsers are where Playwright installs them: the headless shell first', async () => {
  const locations = await installLocations('chromium', 'chromium-headless-shell')
  const shell = locations.find((location) => location.includes('shell'))
  const full = locations.find((location) => /chromium-\d+$/.test(location))
  const found = playwrightsBrowsers()
  expect(found[0]?.startsWith(`${shell}/`)).toBe(true)
  expect(found.at(-1)).toBe(chromium.executablePath())
  expect(found.at(-1)?.startsWith(`${full}/`)).toBe(true)
})

test('ffmpeg is where Playwright installs it', async () => {
  const [location] = await installLocations('ffmpeg')
  expect(dirname(playwrightsFfmpeg()!)).toBe(location)
})

test('the trace viewer is a page, with the worker that unpacks traces', () => {
  const files = readdirSync(traceViewerFolder())
  expect(files).toEqual(expect.arrayContaining(['index.html', 'sw.bundle.js', 'snapshot.html']))
})

test('a trace is in the files and folders that are archived', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tw-trace-files-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const executablePath = findBrowserExecutable(process.env['TABWIRE_BROWSER_PATH'] ?? null)
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'], tracesDir: folder })
  try {
    const context = await browser.newContext()
    await context.tracing.start({ name: 'x', screenshots: true, snapshots: { dom: true } })
    const page = await context.newPage()
    await page.goto('data:text/html,<p>here</p>')
    await page.locator('p').click()
    // Before it is stopped, which is when Playwright would make the archive.
    await expect.poll(() => ['x.trace', 'x.network'].every((name) => existsSync(join(folder, name)))).toBe(true)
    const path = join(folder, 'whole.zip')
    await context.tracing.stop({ path })
    const names = await namesIn(path)
    const known = [...TRACE_EXTENSIONS.map((extension) => `trace.${extension}`), ...TRACE_FOLDERS]
    expect(names).toEqual(expect.arrayContaining(['trace.trace', 'trace.network', 'trace.stacks']))
    expect(names.map((name) => name.split('/')[0]).filter((name) => !known.includes(name!))).toEqual([])
  } finally {
    await browser.close()
  }
})

async function namesIn(path: string): Promise<string[]> {
  const archive = await promisify<Buffer, yauzl.Options, yauzl.ZipFile>(yauzl.fromBuffer)(await readFile(path), {})
  const names: string[] = []
  archive.on('entry', (entry: yauzl.Entry) => names.push(entry.fileName))
  await new Promise((resolve) => archive.once('end', resolve))
  return names
}
