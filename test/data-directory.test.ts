import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  cpSync,
  mkdtempSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DataDirectoryLocked, readLockHolder } from '../src/data-directory-lock.ts'
import { openDataDirectory } from '../src/data-directory.ts'
import { StartupFailed } from '../src/startup-failed.ts'

let parent: string
let path: string
const children = new Set<ChildProcess>()
/** Machines of those processes: a killed one leaves the lock of its machine behind, for the next start. */
const machines = new Set<string>()

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'tw-data-'))
  path = join(parent, 'data')
})

afterEach(async () => {
  for (const child of children) {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    }
  }
  children.clear()
  for (const id of machines)
    for (const end of ['', '-journal']) rmSync(join(tmpdir(), `tabwire-${id}.lock${end}`), { force: true })
  machines.clear()
  rmSync(parent, { recursive: true, force: true })
})

type Report = { kind: 'open'; machineId: string; secret: string } | { kind: 'refused'; message: string }

/** Another process that opens the data directory. */
async function openElsewhere(): Promise<{ child: ChildProcess; report: Report }> {
  const child = fork(join(import.meta.dirname, 'support', 'lock-holder.ts'), [path])
  children.add(child)
  const [report] = (await once(child, 'message')) as [Report]
  if (report.kind === 'open') machines.add(report.machineId)
  return { child, report }
}

const modeOf = (file: string) => statSync(file).mode & 0o777

/** The error of openDataDirectory; fails if it opens. */
async function refusal(): Promise<Error> {
  const outcome = await openDataDirectory(path, null).catch((error: unknown) => error)
  expect(outcome).toBeInstanceOf(StartupFailed)
  return outcome as StartupFailed
}

describe('what it keeps', () => {
  test('a machine id and an admin key, made once and for this user alone', async () => {
    const first = await openDataDirectory(path, null)
    expect(first.machineId).toMatch(/^[0-9a-f-]{36}$/)
    expect(first.adminKey).toEqual({
      secret: expect.stringMatching(/^tw_[\w-]{43}$/) as string,
      file: join(path, 'api-key'),
    })
    expect(modeOf(path)).toBe(0o700)
    expect(modeOf(join(path, 'api-key'))).toBe(0o600)
    expect(readFileSync(join(path, 'api-key'), 'utf8')).toBe(`${first.adminKey.secret}\n`)
    await first.close()

    const second = await openDataDirectory(path, null)
    expect([second.machineId, second.adminKey]).toEqual([first.machineId, first.adminKey])
    await second.close()
  })

  test('keys that sign links and the key of profiles, unless they are given', async () => {
    const first = await openDataDirectory(path, null)
    const kept = [first.signingKeys(), first.profileKeys]
    expect(kept).toEqual([[expect.stringMatching(/^[\w-]{43}$/)], [expect.stringMatching(/^[\w-]{43}$/)]])
    expect([modeOf(join(path, 'signing-keys')), modeOf(join(path, 'profile-key'))]).toEqual([0o600, 0o600])
    await first.close()
    const second = await openDataDirectory(path, null)
    expect([second.signingKeys(), second.profileKeys]).toEqual(kept)
    await second.close()
    const given = await openDataDirectory(path, null, { signingKeys: ['one', 'two'], profileKeys: ['three'] })
    expect([given.signingKeys(), given.profileKeys]).toEqual([['one', 'two'], ['three']])
    await given.close()
  })

  test('no key where one is given', async () => {
    const directory = await openDataDirectory(path, 'given-by-the-environment')
    expect(directory.adminKey).toEqual({ secret: 'given-by-the-environment', file: null })
    expect(readdirSync(path)).not.toContain('api-key')
    await directory.close()
  })

  test('a key that others could read is closed to them', async () => {
    mkdirSync(path)
    writeFileSync(join(path, 'api-key'), 'written-by-hand-1234\n', { mode: 0o644 })
    const directory = await openDataDirectory(path, null)
    expect(directory.adminKey.secret).toBe('written-by-hand-1234')
    expect(modeOf(join(path, 'api-key'))).toBe(0o600)
    await directory.close()
  })

  test.each(['api-key', 'machine-id', 'signing-keys', 'profile-key'])(
    'a %s that was spoilt is not taken, nor written over',
    async (file) => {
      mkdirSync(path)
      writeFileSync(join(path, file), '')
      expect((await refusal()).message).toBe(
        `${join(path, file)} is damaged: restore it, or delete it to have a new one created.`,
      )
      expect(readFileSync(join(path, file), 'utf8')).toBe('')
      rmSync(join(path, file))
      // The failed start left no lock behind.
      await (await openDataDirectory(path, null)).close()
    },
  )

  test('a directory that was there keeps its mode', async () => {
    mkdirSync(path)
    chmodSync(path, 0o750)
    await (await openDataDirectory(path, null)).close()
    expect(modeOf(path)).toBe(0o750)
  })

  test('nothing, where a file stands', async () => {
    writeFileSync(path, '')
    expect((await refusal()).message).toBe(
      `The data directory ${path} is not a directory: set TABWIRE_DATA_DIR to one.`,
    )
  })
})

describe('its lock', () => {
  test('keeps others out and tells who has it', async () => {
    const directory = await openDataDirectory(path, null)
    expect(await readLockHolder(path)).toEqual({ pid: process.pid, url: null })
    await directory.announce('http://127.0.0.1:4000')

    const { report } = await openElsewhere()
    expect(report).toEqual({
      kind: 'refused',
      message:
        `The data directory ${path} is in use by process ${process.pid}, which serves http://127.0.0.1:4000: ` +
        'stop that, or set TABWIRE_DATA_DIR to another directory.',
    })
    await directory.close()
    await directory.close()
    expect(await readLockHolder(path)).toBeNull()
    expect((await openElsewhere()).report.kind).toBe('open')
  })

  test('holds within one process too', async () => {
    const directory = await openDataDirectory(path, null)
    const error = await refusal()
    expect(error).toBeInstanceOf(DataDirectoryLocked)
    expect((error as DataDirectoryLocked).holder).toEqual({ pid: process.pid, url: null })
    // The refused attempt did not affect the holder.
    expect((await openElsewhere()).report.kind).toBe('refused')
    await directory.close()
  })

  test('is free once its holder was killed, though the note stays', async () => {
    const { child } = await openElsewhere()
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
    expect(await readLockHolder(path)).toEqual({ pid: child.pid, url: `http://127.0.0.1/of/${child.pid}` })

    const directory = await openDataDirectory(path, null)
    expect(await readLockHolder(path)).toEqual({ pid: process.pid, url: null })
    await directory.close()
  })

  test('does not go by the pid, which another process may have by now', async () => {
    mkdirSync(path)
    writeFileSync(join(path, 'lock'), JSON.stringify({ pid: process.ppid, url: 'http://127.0.0.1:1' }))
    const directory = await openDataDirectory(path, null)
    expect(await readLockHolder(path)).toEqual({ pid: process.pid, url: null })
    await directory.close()
  })

  test('a spoilt note is no obstacle', async () => {
    mkdirSync(path)
    writeFileSync(join(path, 'lock'), '{"pid":')
    expect(await readLockHolder(path)).toBeNull()
    await (await openDataDirectory(path, null)).close()
  })

  test('of processes that race for it, after a crash as well, exactly one gets it', async () => {
    const { child } = await openElsewhere()
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited

    const racers = await Promise.all(Array.from({ length: 5 }, () => openElsewhere()))
    expect(racers.map(({ report }) => report.kind).sort()).toEqual(['open', 'refused', 'refused', 'refused', 'refused'])

    const winner = racers.find(({ report }) => report.kind === 'open')!
    const closed = once(winner.child, 'exit')
    winner.child.send('close')
    expect(await closed).toEqual([0, null])
    await (await openDataDirectory(path, null)).close()
  })
})

describe('the machine that it stands for', () => {
  let copy: string
  beforeEach(() => {
    copy = join(parent, 'copy')
  })

  const machineLocks = () => readdirSync(tmpdir()).filter((name) => /^tabwire-[0-9a-f-]{36}\.lock$/.test(name))

  test('is the same after a restart and where the directory was moved to', async () => {
    const first = await openDataDirectory(path, null)
    await first.close()
    const again = await openDataDirectory(path, null)
    expect([again.machineId, again.copiedFrom]).toEqual([first.machineId, null])
    await again.close()
    renameSync(path, copy)
    const moved = await openDataDirectory(copy, null)
    expect([moved.machineId, moved.copiedFrom]).toEqual([first.machineId, null])
    await moved.close()
    expect(machineLocks()).not.toContain(`tabwire-${first.machineId}.lock`)
  })

  test('is the same after a restore, to another place or the same one', async () => {
    const first = await openDataDirectory(path, null)
    await first.close()
    for (const [from, to] of [
      [path, copy],
      [copy, path],
    ] as const) {
      // To another disk, or out of an archive: a different directory for the file system.
      cpSync(from, `${to}-new`, { recursive: true })
      rmSync(from, { recursive: true })
      renameSync(`${to}-new`, to)
      const restored = await openDataDirectory(to, null)
      expect([restored.machineId, restored.copiedFrom]).toEqual([first.machineId, null])
      await restored.close()
    }
    cpSync(path, copy, { recursive: true })
    rmSync(path, { recursive: true })
    renameSync(copy, path)
    const inPlace = await openDataDirectory(path, null)
    expect(inPlace.machineId).toBe(first.machineId)
    await inPlace.close()
  })

  test('is another one for a copy that was made while the first one ran, also once that has ended', async () => {
    const { child, report } = await openElsewhere()
    const { machineId } = report as { machineId: string }
    cpSync(path, copy, { recursive: true })
    const copied = await openDataDirectory(copy, null)
    expect(copied.machineId).not.toBe(machineId)
    expect(copied.copiedFrom).toMatchObject({ machineId, isAlive: true })
    await copied.close()
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
    const again = await openDataDirectory(copy, null)
    expect(again.machineId).toBe(copied.machineId)
    expect(again.copiedFrom).toMatchObject({ machineId, isAlive: false })
    await again.close()
    const first = await openDataDirectory(path, null)
    expect([first.machineId, first.copiedFrom]).toEqual([machineId, null])
    await first.close()
  })

  test('is another one for a copy that was made after the first one was killed; meanwhile that cannot be started', async () => {
    const { child, report } = await openElsewhere()
    const { machineId } = report as { machineId: string }
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
    cpSync(path, copy, { recursive: true })
    const copied = await openDataDirectory(copy, null)
    expect(copied.machineId).not.toBe(machineId)
    expect(copied.copiedFrom).toMatchObject({ machineId, isAlive: false })
    await copied.close()
    expect(machineLocks()).not.toContain(`tabwire-${machineId}.lock`)
  })

  test('is another one for a copy that took the place of the directory while its server runs', async () => {
    const first = await openDataDirectory(path, null)
    renameSync(path, `${path}-running`)
    cpSync(`${path}-running`, path, { recursive: true })
    const copied = await openDataDirectory(path, null)
    expect(copied.copiedFrom).toMatchObject({ machineId: first.machineId, isAlive: true })
    await copied.close()
    await first.close()
  })
})
