import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openDiskArtifactStore } from '../../src/adapters/artifacts/disk.ts'
import { StorageUnavailable } from '../../src/ports/artifacts/artifact-store.ts'
import { watchDisk } from '../support/watched-disk.ts'
import { describeArtifactStore } from './artifact-store.contract.ts'

const OPTIONS = { contentType: 'text/plain', maxBytes: 1000 }
const NEVER = new AbortController().signal

describe('on disk', () => {
  describeArtifactStore(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tw-artifacts-'))
    const store = await openDiskArtifactStore(folder)
    const disk = await watchDisk()
    return {
      store,
      taken: () => disk.written,
      unfinished: async () => readdirSync(join(folder, '.unfinished')),
      fill: async () => {
        disk.space = 2_000_000
        return async () => {
          disk.space = Number.POSITIVE_INFINITY
        }
      },
      takeAway: async () => {
        // Puts a file in its place: modes do not keep root from writing.
        renameSync(folder, `${folder}-away`)
        writeFileSync(folder, '')
        return async () => {
          rmSync(folder)
          renameSync(`${folder}-away`, folder)
        }
      },
      close: async () => {
        disk.close()
        await store.close()
        rmSync(folder, { recursive: true, force: true })
      },
    }
  })
})

describe('files', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tw-artifacts-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  test('are for this user alone, one to an artifact, and their folder goes with the last', async () => {
    const store = await openDiskArtifactStore(folder)
    await store.write('session/one', Readable.from(['1']), OPTIONS, NEVER)
    await store.write('session/two', Readable.from(['2']), OPTIONS, NEVER)
    expect(readdirSync(join(folder, 'session')).toSorted()).toEqual(['one', 'two'])
    expect(statSync(join(folder, 'session')).mode & 0o777).toBe(0o700)
    expect(statSync(join(folder, 'session', 'one')).mode & 0o777).toBe(0o600)
    await store.remove('session/one')
    await store.remove('session/two')
    expect(readdirSync(folder)).toEqual(['.unfinished'])
  })

  test('that a process left unfinished are gone at the next start', async () => {
    mkdirSync(join(folder, '.unfinished'))
    writeFileSync(join(folder, '.unfinished', 'half'), 'of it')
    const store = await openDiskArtifactStore(folder)
    expect(readdirSync(join(folder, '.unfinished'))).toEqual([])
    expect(await Array.fromAsync(store.list(''))).toEqual([])
  })

  test.each(['../outside', '/etc/passwd', 'a/../../b', '.unfinished/x', 'A', '', 'a//b', 'a/', 'a\0b'])(
    'have no such name: %j',
    async (key) => {
      const store = await openDiskArtifactStore(folder)
      await expect(store.write(key, Readable.from(['x']), OPTIONS, NEVER)).rejects.toThrow('no key')
      await expect(store.read(key, null, NEVER)).rejects.toThrow('no key')
      await expect(store.remove(key)).rejects.toThrow('no key')
    },
  )

  test('many removed and written in one folder at once get not in each other’s way', async () => {
    const store = await openDiskArtifactStore(folder)
    const names = Array.from({ length: 40 }, (_, index) => `session/f${index}`)
    for (let round = 0; round < 5; round += 1) {
      await Promise.all(
        names.map(async (name) => {
          await store.write(name, Readable.from([name]), OPTIONS, NEVER)
          await store.remove(name)
        }),
      )
    }
    expect(readdirSync(folder)).toEqual(['.unfinished'])
  })

  test('nowhere, where a file stands', async () => {
    writeFileSync(join(folder, 'file'), '')
    await expect(openDiskArtifactStore(join(folder, 'file'))).rejects.toThrow(StorageUnavailable)
  })
})
