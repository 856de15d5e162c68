import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { findBrowserExecutable } from '../../../src/adapters/playwright/launch/browser-executable.ts'
import { UIDS_PER_SERVER } from '../../../src/adapters/playwright/launch/browser-process.ts'
import { firstUidOf } from '../../../src/adapters/playwright/launch/sandbox.ts'
import { findSetpriv } from '../../../src/adapters/playwright/launch/setpriv.ts'
import { WAIT_LIMITS } from '../../support/time-limits.ts'
import { startTestPool, type TestPool } from './test-pool.ts'
import { freezeProcesses } from '../../support/freeze-process.ts'

let pool: TestPool | undefined

// Closing expects that no processes and directories are left.
afterEach(async () => {
  await pool?.close()
  pool = undefined
})

function until<T>(read: () => T) {
  return expect.poll(read, { interval: 10 })
}

describe('browsers that cannot be started', () => {
  test('are told as long as it lasts, also where none are kept ready', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tw-'))
    await chmod(directory, 0o755)
    const executable = join(directory, 'browser')
    const broken = join(directory, 'broken')
    const real = findBrowserExecutable(process.env['TABWIRE_BROWSER_PATH'] ?? null)
    await writeFile(executable, `#!/bin/sh\n[ -e '${broken}' ] && exit 7\nexec '${real}' "$@"\n`)
    await chmod(executable, 0o755)
    pool = await startTestPool({ warm: 0, executable, sandbox: 'off' })
    await writeFile(broken, '')
    await expect(pool.start()).rejects.toThrow('exit code 7')
    expect(pool.pool.notReady()).toContain('exit code 7')
    await rm(broken)
    await until(() => pool?.pool.notReady()).toBeNull()
    await until(() => pool?.browsers()).toEqual([])
    expect(pool.pool.warmCount()).toBe(0)
    await rm(directory, { recursive: true })
  })
})

describe('a browser that is stopped', () => {
  test('while it was kept ready is not given away, but ended and replaced', async () => {
    pool = await startTestPool({ warm: 2 })
    await until(() => pool?.pool.warmCount()).toBe(2)
    const ready = pool.browsers()
    await freezeProcesses(...ready)
    const { session } = await pool.start()
    expect(await session.ping(WAIT_LIMITS.timeout)).not.toBeNull()
    await until(() => pool?.browsers().filter((pid) => ready.includes(pid))).toEqual([])
    await session.close(1_000)
  })

  test('takes no new viewport, which is said and not waited for', async () => {
    pool = await startTestPool({ warm: 0 })
    const { session } = await pool.start()
    await freezeProcesses(pool.browsers()[0]!)
    await expect(session.setViewport({ width: 800, height: 600 })).rejects.toThrow(/viewport within 2 s/)
    await session.close(0)
  })
})

describe('the system', () => {
  test('user ids are the own ones of each server, beyond those that others use', () => {
    const firsts = Array.from({ length: 200 }, (_, index) => firstUidOf(`machine-${index}`))
    expect(firstUidOf('machine-0')).toBe(firsts[0])
    expect(new Set(firsts).size).toBeGreaterThan(195)
    for (const first of firsts) {
      expect(Math.abs(first - firsts[0]!) % UIDS_PER_SERVER).toBe(0)
      expect(first).toBeGreaterThanOrEqual(0x7000_0000)
      expect(first + UIDS_PER_SERVER).toBeLessThan(2 ** 31)
    }
  })

  test('a setpriv that cannot be run, or is of another kind, is passed over', async () => {
    const [notToRun, another] = [await mkdtemp(join(tmpdir(), 'tw-')), await mkdtemp(join(tmpdir(), 'tw-'))]
    await writeFile(join(notToRun, 'setpriv'), 'no program')
    await writeFile(join(another, 'setpriv'), '#!/bin/sh\necho help\n', { mode: 0o755 })
    expect(findSetpriv([notToRun, another].join(delimiter))).toBe(findSetpriv('/no/such/folder'))
    await Promise.all([notToRun, another].map((folder) => rm(folder, { recursive: true })))
  })
})
