import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { findBrowserExecutable } from '../src/adapters/playwright/launch/browser-executable.ts'

const ROOT = join(import.meta.dirname, '..')
const SUPPORT = join(import.meta.dirname, 'support')

/** A checkout with only the scripts, and an npm that only pretends to work. */
let checkout: string
let calls: string

const LOCK = {
  packages: {
    '': { name: 'tabwire' },
    'node_modules/one': { version: '1.0.0', integrity: 'sha512-one' },
    'node_modules/elsewhere': { version: '1.0.0', integrity: 'sha512-elsewhere', optional: true },
  },
}

beforeEach(() => {
  checkout = mkdtempSync(join(tmpdir(), 'tw-setup-'))
  calls = join(checkout, 'npm-calls')
  writeFileSync(calls, '')
  cpSync(join(ROOT, 'scripts'), join(checkout, 'scripts'), { recursive: true })
  writeFileSync(join(checkout, 'package-lock.json'), JSON.stringify(LOCK))
})

afterEach(() => {
  rmSync(checkout, { recursive: true, force: true })
})

const npmCalls = () =>
  readFileSync(calls, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { args: string[]; node: string })

interface Outcome {
  code: number
  stdout: string
  stderr: string
  lastLine: string
}

async function runSetup(env: Record<string, string> = {}, task = 'setup', cwd = checkout): Promise<Outcome> {
  const child = spawn(process.execPath, [join(cwd, 'scripts', 'run.mjs'), task], {
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: checkout,
      // Any executable passes for a browser here.
      TABWIRE_BROWSER_PATH: process.execPath,
      npm_execpath: join(SUPPORT, 'npm-fake.mjs'),
      FAKE_NPM_CALLS: calls,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const [code] = (await once(child, 'close')) as [number]
  return { code, stdout, stderr, lastLine: stderr.trim().split('\n').at(-1) ?? '' }
}

test('a system that Tabwire does not run on is told so before anything is run that it cannot', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  for (const [name, script] of Object.entries(scripts).filter(([, line]) => line.startsWith('exec '))) {
    expect([name, scripts[`pre${name}`]]).toEqual([name, 'node scripts/platform.mjs'])
    expect(script).toBe(`exec node scripts/run.mjs ${name}`)
  }
  const windows = `data:text/javascript,Object.defineProperty(process,'platform',{value:'win32'})`
  const run = (...options: string[]) =>
    spawnSync(process.execPath, [...options, join(checkout, 'scripts', 'platform.mjs')], { encoding: 'utf8' })
  expect(run('--import', windows)).toMatchObject({ status: 1, stderr: expect.stringContaining('in WSL 2') })
  expect(run()).toMatchObject({ status: 0, stderr: '' })
})

describe('packages', () => {
  test('are installed from the lockfile when missing, and then left alone', async () => {
    const first = await runSetup()
    expect(first.stderr).toContain('set-up: installing the packages that package-lock.json names')
    expect(first).toMatchObject({ code: 0, lastLine: 'set-up: everything is there', stdout: '' })
    expect(npmCalls().map(({ args }) => args[0])).toEqual(['ci'])
    expect(npmCalls()[0]!.args).toContain('--ignore-scripts')

    const second = await runSetup()
    expect(second).toMatchObject({ code: 0, stderr: 'set-up: everything is there\n' })
    expect(npmCalls()).toHaveLength(1)
  })

  test('take the processor no second to be found complete', async () => {
    await runSetup()
    const used = join(checkout, 'processor-used')
    const program = `process.on('exit', () => process.getBuiltinModule('fs').writeFileSync(${JSON.stringify(used)}, JSON.stringify(process.cpuUsage())))`
    const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(program)}`
    expect((await runSetup({ NODE_OPTIONS })).lastLine).toBe('set-up: everything is there')
    const { user, system } = JSON.parse(readFileSync(used, 'utf8')) as NodeJS.CpuUsage
    expect(user + system).toBeLessThan(1_000_000)
  })

  test.each<[string, () => void]>([
    [
      'the lockfile asks for another version',
      () => changeLock((lock) => (lock.packages['node_modules/one'].version = '2.0.0')),
    ],
    [
      'the lockfile asks for other contents',
      () => changeLock((lock) => (lock.packages['node_modules/one'].integrity = 'x')),
    ],
    ['an installation was broken off', () => rmSync(join(checkout, 'node_modules', '.package-lock.json'))],
  ])('are installed again when %s', async (_, change) => {
    await runSetup()
    change()
    expect((await runSetup()).code).toBe(0)
    expect(npmCalls()).toHaveLength(2)
  })

  test('of this project are seen to be there without asking npm', async () => {
    // If it is called nevertheless, it must not record an installation here.
    const outcome = await runSetup({ FAKE_NPM: 'other' }, 'setup', ROOT)
    expect(outcome).toMatchObject({ code: 0, lastLine: 'set-up: everything is there' })
    expect(npmCalls()).toEqual([])
  })

  test.each([
    [
      'network',
      /^The packages could not be downloaded, for want of a network: check the connection, .*run the command again\.$/,
    ],
    ['space', /^The disk is full: free about 1 GB for .* and run the command again\.$/],
    ['rights', /^The packages may not be written: make .* yours \(chown\) and run the command again\.$/],
    [
      'other',
      /^npm could not install the packages \(exit code 1\): mend what it says above, and run the command again\.$/,
    ],
  ])('that cannot be had for want of %s: one sentence says what to do', async (failure, sentence) => {
    const outcome = await runSetup({ FAKE_NPM: failure })
    expect(outcome.code).toBe(1)
    expect(outcome.lastLine).toMatch(sentence)
    expect(outcome.stderr).not.toMatch(/^\s+at /m)
    expect(outcome.stderr.includes('npm error')).toBe(failure === 'other')
  })

  test('cannot be had without npm', async () => {
    const outcome = await runSetup({ npm_execpath: '', PATH: join(checkout, 'empty') })
    expect(outcome).toMatchObject({
      code: 1,
      lastLine: 'npm was not found: install npm beside Node and run the command again.',
    })
  })
})

function changeLock(change: (lock: typeof LOCK) => unknown): void {
  const lock = structuredClone(LOCK)
  change(lock)
  writeFileSync(join(checkout, 'package-lock.json'), JSON.stringify(lock))
}

// npm provides a Node for Linux; elsewhere users install one.
describe.runIf(process.platform === 'linux')('on a Node that is too old', () => {
  const old = { NODE_OPTIONS: `--import=${join(SUPPORT, 'old-node.mjs')}` }

  test('one is fetched into the project, once, and everything goes on under it', async () => {
    const first = await runSetup(old)
    expect(first.stderr).toContain('set-up: This is Node v20.20.2, and Tabwire needs 22.18 or a later 22, 24, or 26')
    expect(first).toMatchObject({ code: 0, lastLine: 'set-up: everything is there' })
    const kept = readdirSync(join(checkout, '.toolchain'))
    expect(kept).toEqual([`node-24.21.0-linux-${process.arch}`])
    expect(npmCalls().map(({ args }) => args[0])).toEqual(['install', 'ci'])
    // npm itself runs under the Node that the packages need.
    expect(npmCalls()[1]!.node).toBe(process.version)

    const second = await runSetup(old)
    expect(second).toMatchObject({ code: 0, stderr: 'set-up: everything is there\n' })
    expect(npmCalls()).toHaveLength(2)
  })

  test.each([
    ['network', 'Node could not be fetched, for want of a network'],
    ['space', 'Node could not be fetched, for want of space in'],
    ['rights', 'Node could not be fetched, for want of the right to write in'],
    ['other', 'Node could not be fetched with npm'],
    ['foreign', 'The Node fetched from npm does not run here'],
  ])('that cannot be fetched (%s): one sentence says which to install', async (failure, why) => {
    const outcome = await runSetup({ ...old, FAKE_NPM: failure })
    expect(outcome.code).toBe(1)
    expect(outcome.lastLine).toContain(why)
    expect(outcome.lastLine).toMatch(
      /: install Node 22\.18 or a later 22, 24, or 26 and later \(this is v20\.20\.2\) and run the command again\.$/,
    )
    const toolchain = join(checkout, '.toolchain')
    expect(existsSync(toolchain) ? readdirSync(toolchain) : []).toEqual([])
  })
})

describe('a browser', () => {
  interface Machine {
    env: Record<string, string | undefined>
    isRoot: boolean
    isDebianLike: boolean
    run: (command: string, args: string[]) => Promise<{ code: number; output: string }>
    find: () => { path: string; origin: string } | null
  }
  interface BrowserScript {
    ensureBrowser: (root: string, say: (line: string) => void, machine: Machine) => Promise<string>
  }

  const OFFLINE = 'Error: getaddrinfo ENOTFOUND'

  /** A simulated machine: commands behave as given by the steps, and a browser is found once one was installed. */
  async function ensureOn(
    steps: { [command: string]: { output?: string; brings?: { path: string; origin: string }; breaks?: boolean } },
    { isRoot = true, isDebianLike = true, env = {} } = {},
  ) {
    const script = (await import(join(ROOT, 'scripts', 'browser.mjs'))) as BrowserScript
    const commands: string[] = []
    const said: string[] = []
    let found: { path: string; origin: string } | null = null
    let lacksLibraries = false
    const machine: Machine = {
      env,
      isRoot,
      isDebianLike,
      find: () => found,
      run: (command, args) => {
        const words = [
          command === process.execPath ? 'playwright' : command,
          ...args.filter((word) => !word.endsWith('cli.js')),
        ]
        const line = words.join(' ')
        commands.push(line)
        if (line.endsWith('--version')) return Promise.resolve({ code: lacksLibraries ? 127 : 0, output: '' })
        const step = Object.entries(steps).find(([start]) => line.startsWith(start))?.[1]
        if (step?.brings) found = step.brings
        if (step?.breaks !== undefined) lacksLibraries = step.breaks
        return Promise.resolve({ code: step?.output ? 1 : 0, output: step?.output ?? '' })
      },
    }
    const outcome = await script
      .ensureBrowser(checkout, (line) => said.push(line), machine)
      .catch((error: unknown) => error)
    return { outcome, commands, said }
  }

  const OWN = { path: '/nowhere/shell/chrome-headless-shell', origin: 'playwright' }
  const DEBIANS = { path: '/usr/lib/chromium/chromium-headless-shell', origin: 'installed' }

  test('is downloaded by Playwright', async () => {
    const { outcome, commands } = await ensureOn({ 'playwright install ': { brings: OWN } }, { isRoot: false })
    expect(outcome).toBe(OWN.path)
    expect(commands).toEqual(['playwright install chromium-headless-shell', `${OWN.path} --version`])
  })

  test('gets the libraries that it lacks', async () => {
    const { outcome, commands } = await ensureOn({
      'playwright install ': { brings: OWN, breaks: true },
      'playwright install-deps': { breaks: false },
    })
    expect(outcome).toBe(OWN.path)
    expect(commands).toContain('playwright install-deps chromium-headless-shell')
  })

  test('comes from Debian where it cannot be downloaded', async () => {
    const { outcome, commands, said } = await ensureOn({
      'playwright install ': { output: OFFLINE },
      'apt-get install': { brings: DEBIANS },
    })
    expect(outcome).toBe(DEBIANS.path)
    expect(commands.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
      'playwright install',
      'apt-get update',
      'apt-get install',
      `${DEBIANS.path} --version`,
    ])
    expect(said).toHaveLength(2)
  })

  test.each([
    [
      { isRoot: false, isDebianLike: true },
      OFFLINE,
      /^No browser is here and none could be downloaded, for want of a network: .*\.$/,
    ],
    [
      { isRoot: true, isDebianLike: false },
      OFFLINE,
      /^No browser is here and none could be downloaded, for want of a network: .*\.$/,
    ],
    [{ isRoot: true, isDebianLike: true }, "E: You don't have enough free space", /^The disk is full: .*\.$/],
    [
      { isRoot: true, isDebianLike: true },
      'E: Unable to locate package',
      /^No browser could be installed \(see above\): .*\.$/,
    ],
  ])('that cannot be had (%j, %s): one sentence says what to do', async (machine, output, sentence) => {
    const { outcome, commands } = await ensureOn({ 'playwright install ': { output }, 'apt-get': { output } }, machine)
    expect((outcome as Error).name).toBe('SetupFailed')
    expect((outcome as Error).message).toMatch(sentence)
    expect(commands.some((line) => line.startsWith('apt-get'))).toBe(machine.isRoot && machine.isDebianLike)
  })

  test('that lacks libraries which only root may install', async () => {
    const { outcome } = await ensureOn(
      {
        'playwright install ': { brings: OWN, breaks: true },
        'playwright install-deps': { output: 'sudo: a password is required' },
      },
      { isRoot: false },
    )
    expect((outcome as Error).message).toMatch(/run `sudo npx playwright install-deps chromium-headless-shell` once/)
  })

  test('named wrongly is not replaced by another', async () => {
    const outcome = await runSetup({ TABWIRE_BROWSER_PATH: join(checkout, 'none') })
    expect(outcome.code).toBe(1)
    expect(outcome.lastLine).toMatch(
      /^TABWIRE_BROWSER_PATH names .*none, which is no executable file: correct it, or unset it/,
    )
  })

  test('is the same one that the server finds', async () => {
    const { findBrowser } = (await import(join(ROOT, 'scripts', 'find-browser.mjs'))) as {
      findBrowser: (env: object, core: string) => { path: string } | null
    }
    const found = findBrowser(process.env, join(ROOT, 'node_modules', 'playwright-core'))
    expect(found?.path).toBe(findBrowserExecutable(process.env['TABWIRE_BROWSER_PATH'] ?? null))
  })

  test('of Playwright is preferred, once it is downloaded whole', async () => {
    const { findBrowser } = (await import(join(ROOT, 'scripts', 'find-browser.mjs'))) as {
      findBrowser: (env: object, core: string) => { path: string; origin: string } | null
    }
    const core = join(ROOT, 'node_modules', 'playwright-core')
    const list = JSON.parse(readFileSync(join(core, 'browsers.json'), 'utf8')) as {
      browsers: { name: string; revision: string }[]
    }
    const { revision } = list.browsers.find(({ name }) => name === 'chromium-headless-shell')!
    const platforms: Record<string, string> = {
      'linux-x64': 'linux64',
      'linux-arm64': 'linux-arm64',
      'darwin-x64': 'mac-x64',
      'darwin-arm64': 'mac-arm64',
    }
    const platform = platforms[`${process.platform}-${process.arch}`]
    const download = join(checkout, `chromium_headless_shell-${revision}`)
    const shell = join(download, `chrome-headless-shell-${platform}`, 'chrome-headless-shell')
    mkdirSync(join(shell, '..'), { recursive: true })
    writeFileSync(shell, '')
    chmodSync(shell, 0o755)
    const env = { PLAYWRIGHT_BROWSERS_PATH: checkout, PATH: '' }
    expect(findBrowser(env, core)?.path).not.toBe(shell)
    writeFileSync(join(download, 'INSTALLATION_COMPLETE'), '')
    expect(findBrowser(env, core)).toEqual({ path: shell, origin: 'playwright' })
  })
})
