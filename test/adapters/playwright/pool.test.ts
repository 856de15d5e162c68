import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { findBrowserExecutable } from '../../../src/adapters/playwright/launch/browser-executable.ts'
import { createBrowserPool } from '../../../src/adapters/playwright/session/browser-pool.ts'
import { BrowserProxies } from '../../../src/adapters/playwright/launch/browser-proxies.ts'
import { browsersDirectory, reapLeftovers } from '../../../src/adapters/playwright/launch/orphan-reaper.ts'
import { DEFAULT_OPTIONS } from '../../../src/adapters/playwright/launch/open-browser.ts'
import { BrowserLaunchFailed } from '../../../src/ports/browser/browser.ts'
import { WAIT_LIMITS, NO_DEADLINE } from '../../support/time-limits.ts'
import { startTestSite, type TestSite } from '../../support/test-site.ts'
import { RecordingRecorder } from './recording-recorder.ts'
import { logger, processesWith, startTestPool, type TestPool } from './test-pool.ts'
import { freezeProcesses } from '../../support/freeze-process.ts'

let site: TestSite
let pool: TestPool | undefined

beforeAll(async () => {
  site = await startTestSite()
})

afterAll(() => site.close())

// Closing expects that no processes and directories are left.
afterEach(async () => {
  await pool?.close()
  pool = undefined
})

function until<T>(read: () => T) {
  return expect.poll(read, { interval: 10 })
}

describe('the pool', () => {
  test('keeps browsers ready, hands them out at once and refills behind', async () => {
    pool = await startTestPool({ warm: 2 })
    await until(() => pool?.pool.warmCount()).toBe(2)
    expect(pool.pool.notReady()).toBeNull()
    expect(pool.pool.describe()).toMatch(/^Chromium \d+\.\S+ \(.+\), (sandboxed|without sandbox)$/)
    const ready = pool.browsers()
    const { session, recorder } = await pool.start()
    expect(pool.browsers()).toEqual(ready)
    expect(session.pages()).toEqual([{ pageId: 'p1', url: 'about:blank', title: expect.any(String) }])
    expect(recorder.of('PAGE_OPENED')).toHaveLength(1)
    await until(() => pool?.pool.warmCount()).toBe(2)
    expect(pool.browsers()).toHaveLength(3)
    await session.close(1_000)
    await session.close(1_000)
    await until(() => pool?.browsers().length).toBe(2)
  })

  test('a browser that was kept ready and dies is replaced', async () => {
    pool = await startTestPool({ warm: 1 })
    const [first] = pool.browsers()
    process.kill(first!, 'SIGKILL')
    await until(
      () => pool?.pool.warmCount() === 1 && pool.browsers().length === 1 && pool.browsers()[0] !== first,
    ).toBe(true)
    const { session } = await pool.start()
    expect(await session.ping(WAIT_LIMITS.timeout)).not.toBeNull()
    await session.close(1_000)
  })

  test('twenty starts at once all succeed, each with a browser of its own', async () => {
    pool = await startTestPool({ warm: 1 })
    const { start, browsers } = pool
    const started = await Promise.all(Array.from({ length: 20 }, () => start()))
    expect(new Set(browsers()).size).toBeGreaterThanOrEqual(20)
    const opened = await Promise.all(started.map(({ session }) => session.open(`${site.url}/title`, NO_DEADLINE)))
    expect(opened.every(({ ok }) => ok)).toBe(true)
    await Promise.all(started.map(({ session }) => session.close(2_000)))
  })

  test('a start that is given up leaves nothing, however far it was', async () => {
    pool = await startTestPool({ warm: 0 })
    const { pool: browsers } = pool
    for (const afterMs of [0, 20, 60, 120]) {
      const starts = Array.from({ length: 6 }, () =>
        browsers.acquire(DEFAULT_OPTIONS, new RecordingRecorder(), AbortSignal.timeout(afterMs)).then(
          (session) => session.close(0),
          (error: unknown) => expect(error).toMatchObject({ name: 'TimeoutError' }),
        ),
      )
      await Promise.all(starts)
      await until(() => pool?.browsers()).toEqual([])
    }
    const { session } = await pool.start()
    await session.close(1_000)
  })

  test('a start whose policy its proxy refuses at once leaves no browser', async () => {
    const open = new Set<number>()
    let opened = 0
    const proxies = {
      open: () => {
        const port = (opened += 1)
        open.add(port)
        return Promise.resolve({
          port,
          unreportedCount: 0,
          assign: () => {
            throw new Error('the thread is gone')
          },
          close: () => Promise.resolve(void open.delete(port)),
        })
      },
      close: () => Promise.resolve(),
    }
    pool = await startTestPool({ warm: 0, browserProxies: new BrowserProxies(proxies, true) })
    await expect(pool.start()).rejects.toThrow('the thread is gone')
    expect(opened).toBe(2)
    await until(() => pool?.browsers()).toEqual([])
    await until(() => open.size).toBe(0)
  })

  test('closing it ends those that are ready and refuses further starts, while sessions keep theirs', async () => {
    pool = await startTestPool({ warm: 1 })
    const { session } = await pool.start({ locale: 'de-DE' })
    await pool.pool.close()
    expect(pool.browsers()).toHaveLength(1)
    expect(pool.pool.notReady()).not.toBeNull()
    await expect(pool.start()).rejects.toThrow('closed')
    expect(await session.ping(WAIT_LIMITS.timeout)).not.toBeNull()
    await session.close(1_000)
  })

  test('closing it gives up a start that is under way, and waits until nothing is left of it', async () => {
    const { pool: browsers, directory, processes, close } = await startTestPool({ warm: 0 })
    // The one used to probe how to launch browsers.
    await until(() => processes()).toEqual([])
    const start = browsers.acquire(DEFAULT_OPTIONS, new RecordingRecorder(), NO_DEADLINE)
    start.catch(() => undefined)
    await until(() => processes().length).toBeGreaterThan(0)
    await browsers.close()
    expect(existsSync(directory)).toBe(false)
    await expect(start).rejects.toThrow('closed')
    await close()
  })
})

describe('death', () => {
  test('a killed browser is told', async () => {
    pool = await startTestPool({ warm: 0 })
    const { session } = await pool.start()
    process.kill(pool.browsers()[0]!, 'SIGKILL')
    expect(await session.crashed).toContain('SIGKILL')
    expect(await session.ping(1_000)).toBeNull()
    expect(await session.open(`${site.url}/title`, AbortSignal.timeout(1_000))).toMatchObject({ ok: false })
    await session.flush(100)
    await session.close(1_000)
  })

  test('a stopped browser does not answer, and is ended at the deadline', async () => {
    pool = await startTestPool({ warm: 0 })
    const { session } = await pool.start()
    let crashed = false
    void session.crashed.then(() => (crashed = true))
    await freezeProcesses(...pool.processes())
    expect(await session.ping(200)).toBeNull()
    // It would never end by itself.
    await session.close(300)
    expect(crashed).toBe(false)
    expect(pool.processes()).toEqual([])
  })

  test('a page that crashes is told, its requests fail, and the session goes on', async () => {
    pool = await startTestPool({ warm: 0 })
    const { session, recorder } = await pool.start()
    await session.open(`${site.url}/waiting`, NO_DEADLINE)
    await until(() => recorder.inFlight.size).toBe(1)
    const renderers = pool
      .processes()
      .filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('--type=renderer'))
    expect(renderers.length).toBeGreaterThan(0)
    for (const pid of renderers) process.kill(pid, 'SIGKILL')
    await until(() => recorder.of('PAGE_CRASHED')).toEqual([
      { pageId: 'p1', url: `${site.url}/waiting`, crashReason: 'killed', crashCode: 9 },
    ])
    expect(recorder.requests('/slow')).toMatchObject([{ failure: 'page crashed', status: null }])
    expect(recorder.inFlight.size).toBe(0)
    expect(await session.ping(WAIT_LIMITS.timeout)).not.toBeNull()
    await session.close(1_000)
  })

  test('no browser outlives a server that is killed, stopped ones neither, and the next start clears up', async () => {
    const tempRoot = await mkdtemp(join(tmpdir(), 'tw-'))
    const machineId = 'killed'
    const program = join(tempRoot, 'server.ts')
    const source = (name: string) => JSON.stringify(join(import.meta.dirname, '../../../src', name))
    const options = {
      executable: findBrowserExecutable(process.env['TABWIRE_BROWSER_PATH'] ?? null),
      sandbox: 'auto',
      warm: 2,
      tempRoot,
      machineId,
    }
    await writeFile(
      program,
      `import { createBrowserPool } from ${source('adapters/playwright/session/browser-pool.ts')}
      import { createLogger } from ${source('logger.ts')}
      const pool = await createBrowserPool({ ...${JSON.stringify(options)}, logger: createLogger('silent') })
      setInterval(() => console.log(pool.warmCount()), 20)`,
    )
    const server = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] })
    for await (const line of createInterface({ input: server.stdout })) if (line === '2') break
    const directory = browsersDirectory(tempRoot, machineId)
    const mark = `--user-data-dir=${directory}/`
    const browsers = processesWith(mark)
    await freezeProcesses(browsers[0]!)
    server.kill('SIGKILL')
    await once(server, 'exit')
    await until(() => processesWith(mark)).toEqual([])
    expect(existsSync(directory)).toBe(true)
    await reapLeftovers(tempRoot, machineId, logger)
    expect(existsSync(directory)).toBe(false)
    await rm(tempRoot, { recursive: true })
  })

  test('leftovers that still run are ended; processes of others are not', async () => {
    const tempRoot = await mkdtemp(join(tmpdir(), 'tw-'))
    const sleeper = (machineId: string) =>
      // It waits by itself: a child process would briefly have its command line, and be counted as well.
      spawn('sh', ['-c', 'read line; :', `--user-data-dir=${browsersDirectory(tempRoot, machineId)}/x/profile`], {
        stdio: ['pipe', 'ignore', 'ignore'],
        detached: true,
      })
    const [ours, others] = [sleeper('ours'), sleeper('others')]
    await mkdir(browsersDirectory(tempRoot, 'ours'))
    expect(await reapLeftovers(tempRoot, 'ours', logger)).toBe(1)
    await until(() => ours.signalCode).toBe('SIGKILL')
    expect(others.signalCode).toBeNull()
    process.kill(-others.pid!, 'SIGKILL')
    try {
      process.kill(-ours.pid!, 'SIGKILL')
    } catch {
      // The whole group is gone.
    }
    await rm(tempRoot, { recursive: true })
  })
})

describe('the executable and the sandbox', () => {
  test('one that is missing, or cannot start, is one clear sentence', async () => {
    expect(() => findBrowserExecutable('/no/such/browser')).toThrow(/^TABWIRE_BROWSER_PATH names \/no\/such\/browser/)
    expect(() => findBrowserExecutable(process.execPath)).not.toThrow()
    const tempRoot = await mkdtemp(join(tmpdir(), 'tw-'))
    const options = {
      executable: '/bin/false',
      warm: 1,
      tempRoot,
      tempLimitBytes: 1024 ** 3,
      machineId: 'broken',
      logger,
    }
    await expect(createBrowserPool({ ...options, sandbox: 'auto' })).rejects.toThrow(BrowserLaunchFailed)
    await expect(createBrowserPool({ ...options, sandbox: 'on' })).rejects.toThrow(BrowserLaunchFailed)
    await rm(tempRoot, { recursive: true })
  })

  test('"off" runs without a sandbox and calls it no problem; browsers know nothing of our environment', async () => {
    process.env['TABWIRE_SECRET_OF_TEST'] = 'hidden'
    pool = await startTestPool({ sandbox: 'off', warm: 1 })
    delete process.env['TABWIRE_SECRET_OF_TEST']
    expect(pool.pool.sandboxed).toBe(false)
    expect(pool.pool.sandboxProblem).toBeNull()
    const [pid] = pool.browsers()
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).toContain('--no-sandbox')
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).not.toContain('--remote-debugging-port')
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).not.toContain('hidden')
  })
})
