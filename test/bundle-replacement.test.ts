import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { WAIT_LIMITS } from './support/time-limits.ts'

// Each build starts a process.
vi.setConfig({ testTimeout: 120_000 })

/** Writes a bundle that names its build, and ends when the test allows it. */
const BUNDLER = `
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
const root = process.cwd()
const out = resolve(root, process.argv.at(-1))
for (const name of JSON.parse(readFileSync(join(root, 'files.json'), 'utf8'))) {
  mkdirSync(dirname(join(out, name)), { recursive: true })
  writeFileSync(join(out, name), basename(out))
}
while (!existsSync(join(root, 'finish')) && !existsSync(join(root, 'finish-' + basename(out)))) await delay(20)
`

const { buildServer } = (await import(join(import.meta.dirname, '..', 'scripts', 'server-bundle.mjs'))) as {
  buildServer(root: string, say: (line: string) => void): Promise<void>
}
const { buildDashboard } = (await import(join(import.meta.dirname, '..', 'scripts', 'dashboard.mjs'))) as {
  buildDashboard(root: string, say: (line: string) => void): Promise<void>
}

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tw-bundles-'))
  write('node_modules/vite/bin/vite.js', BUNDLER)
  write('node_modules/vite/package.json', '{ "type": "module" }')
  for (const source of ['src/main.ts', 'package-lock.json', 'vite.server.config.ts', 'scripts/server-bundle.mjs']) {
    write(source, '')
  }
  for (const source of [
    'src',
    'src/main.ts',
    'package-lock.json',
    'vite.server.config.ts',
    'scripts/server-bundle.mjs',
  ]) {
    utimesSync(join(root, source), 1, 1)
  }
  emit('main.js', 'worker.js')
})

afterEach(() => rmSync(root, { recursive: true, force: true }))

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}

const read = (path: string) => readFileSync(join(root, path), 'utf8')
/** Files of the bundles from now on. */
const emit = (...names: string[]) => write('files.json', JSON.stringify(names))
const build = () => buildServer(root, () => {})
/** Builds that have written everything but have not ended. */
const pending = () =>
  readdirSync(root).filter((name) => name.startsWith('dist.') && existsSync(join(root, name, 'worker.js')))

test('of two builds at once, the second leaves the bundle of the first alone, which may be running by then', async () => {
  const first = build()
  await expect.poll(pending, WAIT_LIMITS).toHaveLength(1)
  const [earlier] = pending()
  const second = build()
  await expect.poll(pending, WAIT_LIMITS).toHaveLength(2)
  write(`finish-${earlier}`, '')
  await first
  const { ino } = statSync(join(root, 'dist', 'main.js'))
  write('finish', '')
  await second
  expect([read('dist/main.js'), read('dist/worker.js')]).toEqual([earlier, earlier])
  expect(statSync(join(root, 'dist', 'main.js')).ino).toBe(ino)
  expect(pending()).toEqual([])
})

test('a build under a running server replaces each file in its place, and removes those that have no successor', async () => {
  write('finish', '')
  emit('main.js', 'worker.js', 'libraries-old.js')
  await build()
  const folder = statSync(join(root, 'dist')).ino
  const earlier = read('dist/main.js')
  emit('main.js', 'worker.js', 'libraries-new.js')
  await build()
  // The same folder: a thread that starts in the meantime finds its file at any time.
  expect(statSync(join(root, 'dist')).ino).toBe(folder)
  expect(readdirSync(join(root, 'dist')).toSorted()).toEqual(['libraries-new.js', 'main.js', 'worker.js'])
  expect(read('dist/main.js')).not.toBe(earlier)
  expect(read('dist/worker.js')).toBe(read('dist/main.js'))
})

test('a bundle whose replacement was broken off is built again, whatever the dates of its sources', async () => {
  write('finish', '')
  await build()
  // A folder of this name cannot be replaced by a file.
  rmSync(join(root, 'dist', 'worker.js'))
  write('dist/worker.js/held', '')
  await expect(build()).rejects.toThrow()
  expect(statSync(join(root, 'dist', 'main.js')).mtimeMs).toBe(0)
})

test('pages are replaced in their place, too: a server that starts while they are built has the earlier ones', async () => {
  write('dashboard/prepare.ts', '')
  const pages = () =>
    readdirSync(join(root, 'dist-dashboard'), { recursive: true })
      .map(String)
      .filter((name) => name.includes('.'))
      .toSorted()
  write('finish', '')
  emit('index.html', 'assets/old.js', 'worker.js')
  await buildDashboard(root, () => {})
  const [folder, earlier] = [statSync(join(root, 'dist-dashboard')).ino, read('dist-dashboard/index.html')]
  rmSync(join(root, 'finish'))
  emit('index.html', 'assets/new.js', 'worker.js')
  const building = buildDashboard(root, () => {})
  await expect.poll(pending, WAIT_LIMITS).toHaveLength(1)
  expect(pages()).toEqual(['assets/old.js', 'index.html', 'worker.js'])
  expect(read('dist-dashboard/index.html')).toBe(earlier)
  write('finish', '')
  await building
  expect(pages()).toEqual(['assets/new.js', 'index.html', 'worker.js'])
  expect(read('dist-dashboard/index.html')).not.toBe(earlier)
  expect(statSync(join(root, 'dist-dashboard')).ino).toBe(folder)
  expect(pending()).toEqual([])
})
