#!/usr/bin/env node
// npm start, npm test, npm run dev, bench, bench:cluster, faults, check, build, setup. Plain JavaScript without dependencies: it runs on any
// Node from 20 on, before node_modules exists.
import { readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { endWithParent, runCaptured, runInForeground } from './child.mjs'
import { buildDashboard } from './dashboard.mjs'
import { SetupFailed } from './failure.mjs'
import { buildServer, runServer } from './server-bundle.mjs'
import { ensureNode, environmentWithNode } from './toolchain.mjs'
import { checkPlatform, projectToolchainDir, say, setUp } from './setup.mjs'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))

/** @param {string} path below the project */
const inRoot = (path) => join(ROOT, path)

/** @param {string[]} args */
const node = (...args) => runInForeground(process.execPath, args, { cwd: ROOT, ipc: true })

/**
 * The tasks: what set-up must bring, and what then runs. Each returns its exit code, or null when it stays in this
 * process and ends it itself.
 *
 * @type {Record<string, { needs: { browser: boolean, postgres: boolean, ffmpeg: boolean, dashboard: boolean, server: boolean, clients: boolean }, run: (args: string[]) => Promise<number | null> }>}
 */
const TASKS = {
  start: {
    needs: { browser: true, postgres: false, ffmpeg: false, dashboard: true, server: true, clients: false },
    async run(args) {
      say('everything is there: starting the server')
      await runServer(ROOT, ['serve', ...args])
      return null
    },
  },
  dev: {
    needs: { browser: true, postgres: false, ffmpeg: false, dashboard: true, server: false, clients: false },
    run: (args) =>
      node(
        '--watch',
        '--watch-path',
        inRoot('src'),
        '--watch-preserve-output',
        // Else Node has each thread report its imports as messages to whoever started it, and the embedded database's
        // thread is taken to have failed. What to watch is named above.
        '--import',
        'data:text/javascript,delete process.env.WATCH_REPORT_DEPENDENCIES',
        '--import',
        inRoot('scripts/drizzle-imports.mjs'),
        inRoot('src/main.ts'),
        'serve',
        ...args,
      ),
  },
  test: {
    needs: { browser: true, postgres: true, ffmpeg: true, dashboard: true, server: false, clients: true },
    run: (args) => node(inRoot('node_modules/vitest/vitest.mjs'), 'run', ...args),
  },
  bench: {
    needs: { browser: true, postgres: true, ffmpeg: true, dashboard: true, server: true, clients: false },
    run: (args) => node(inRoot('bench/main.ts'), ...args),
  },
  'bench:cluster': {
    needs: { browser: true, postgres: true, ffmpeg: false, dashboard: true, server: true, clients: false },
    run: (args) => node(inRoot('bench/cluster/main.ts'), ...args),
  },
  faults: {
    needs: { browser: true, postgres: true, ffmpeg: true, dashboard: true, server: true, clients: false },
    run: (args) => node(inRoot('bench/faults/main.ts'), ...args),
  },
  check: {
    needs: { browser: false, postgres: false, ffmpeg: false, dashboard: false, server: false, clients: false },
    run: check,
  },
  build: {
    needs: { browser: false, postgres: false, ffmpeg: false, dashboard: false, server: false, clients: false },
    async run() {
      await buildDashboard(ROOT, say)
      await buildServer(ROOT, say)
      // With types, and for browsers too: it is for programs of others.
      rmSync(inRoot('dist-client'), { recursive: true, force: true })
      return node(inRoot('node_modules/typescript/bin/tsc'), '-p', inRoot('tsconfig.client.json'))
    },
  },
  setup: {
    needs: { browser: true, postgres: true, ffmpeg: true, dashboard: true, server: true, clients: true },
    async run() {
      say('everything is there')
      return 0
    },
  },
}

/** What the code must pass without being run: format, lint, types, unused code, architecture, the printed schema. */
async function check() {
  /** @type {[string, () => Promise<number>][]} */
  const steps = [
    ['format', () => node(inRoot('node_modules/oxfmt/bin/oxfmt'), '--check', '.')],
    // Writes down the types of the schema, which the steps below need, and checks the operations against it.
    ['operations of the dashboard', () => node(inRoot('dashboard/prepare.ts'))],
    ['lint', () => node(inRoot('node_modules/oxlint/bin/oxlint'), '--type-aware', '--deny-warnings')],
    ['types', () => node(inRoot('node_modules/typescript/bin/tsc'), '--noEmit')],
    [
      'types of tabwire/client, for browsers',
      () => node(inRoot('node_modules/typescript/bin/tsc'), '-p', inRoot('tsconfig.client.json'), '--noEmit'),
    ],
    ['types of the dashboard', () => node(inRoot('node_modules/typescript/bin/tsc'), '-p', inRoot('dashboard'))],
    [
      'unused code',
      () => node(inRoot('node_modules/knip/bin/knip.js'), '--no-progress', '--treat-config-hints-as-errors'),
    ],
    [
      'architecture',
      () =>
        node(
          inRoot('node_modules/vitest/vitest.mjs'),
          'run',
          'test/architecture.test.ts',
          'test/architecture-programs.test.ts',
          'test/architecture-technologies.test.ts',
          'test/source-files.test.ts',
          'test/documents.test.ts',
        ),
    ],
    ['schema', schemaIsPrinted],
  ]
  const failed = []
  for (const [name, step] of steps) {
    process.stderr.write(`check: ${name}\n`)
    if ((await step()) !== 0) failed.push(name)
  }
  process.stderr.write(failed.length === 0 ? 'check: all well\n' : `check: failed: ${failed.join(', ')}\n`)
  return failed.length === 0 ? 0 : 1
}

async function schemaIsPrinted() {
  const { code, output } = await runCaptured(process.execPath, [inRoot('src/main.ts'), 'print-schema'], {
    cwd: ROOT,
    keepCharacters: 10_000_000,
  })
  if (code === 0 && output === readFileSync(inRoot('schema.graphql'), 'utf8')) return 0
  process.stderr.write(
    code === 0
      ? 'schema.graphql is not what the code prints: run `npx tabwire print-schema > schema.graphql`\n'
      : output,
  )
  return 1
}

async function main() {
  const [task = '', ...args] = process.argv.slice(2)
  const { needs, run } = TASKS[task] ?? {}
  if (!run) {
    process.stderr.write(`usage: node scripts/run.mjs ${Object.keys(TASKS).join('|')} [arguments]\n`)
    return 2
  }
  checkPlatform()
  const runtime = await ensureNode(projectToolchainDir(ROOT), say)
  if (runtime !== process.execPath) {
    return runInForeground(runtime, [fileURLToPath(import.meta.url), task, ...args], {
      env: environmentWithNode(runtime),
      ipc: true,
    })
  }
  endWithParent()
  await setUp(ROOT, needs)
  return run(args)
}

try {
  const code = await main()
  if (code !== null) process.exitCode = code
} catch (error) {
  if (!(error instanceof SetupFailed)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}
