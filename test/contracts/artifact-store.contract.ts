import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  ArtifactMissing,
  ArtifactTooLarge,
  StorageFull,
  StorageUnavailable,
  type ArtifactStore,
} from '../../src/ports/artifacts/artifact-store.ts'

const MB = 1024 * 1024
const NEVER = new AbortController().signal
const ANY_SIZE = { contentType: 'application/octet-stream', maxBytes: Number.MAX_SAFE_INTEGER }

export interface OpenedArtifactStore {
  store: ArtifactStore
  /** Total bytes that all writes have transferred to the disk or the server. */
  taken(): number
  /** Remains of unfinished writes: names of files, ids of uploads. */
  unfinished(): Promise<string[]>
  /** Leaves room for only a few megabytes. Undone by the returned function. */
  fill(): Promise<() => Promise<void>>
  /** Makes the storage unavailable, until the returned function has resolved. */
  takeAway(): Promise<() => Promise<void>>
  close(): Promise<void>
}

/** The given number of bytes in chunks of 64 KiB, never in memory together. */
export function manyBytes(size: number, onChunk: (sent: number) => void = () => {}): Readable {
  const chunk = randomBytes(64 * 1024)
  let sent = 0
  return new Readable({
    read() {
      if (sent >= size) return void this.push(null)
      const piece = chunk.subarray(0, Math.min(chunk.length, size - sent))
      sent += piece.length
      this.push(piece)
      onChunk(sent)
    },
  })
}

async function sizeAndHash(content: Readable): Promise<{ sizeBytes: number; sha256: string }> {
  const hash = createHash('sha256')
  let sizeBytes = 0
  for await (const chunk of content as AsyncIterable<Buffer>) {
    hash.update(chunk)
    sizeBytes += chunk.length
  }
  return { sizeBytes, sha256: hash.digest('hex') }
}

/** Contract of every artifact store. */
export function describeArtifactStore(open: () => Promise<OpenedArtifactStore>): void {
  let opened: OpenedArtifactStore
  let store: ArtifactStore
  beforeAll(async () => {
    opened = await open()
    ;({ store } = opened)
  })
  afterAll(() => opened.close())

  const bodyKeyOf = (owner: string, sha256: string) => `bodies/${owner}/${sha256}-0123456789ab`
  const freshKey = () => `${randomUUID()}/${randomUUID()}`
  const write = (key: string, bytes: Buffer, signal = NEVER) =>
    store.write(key, Readable.from([bytes]), ANY_SIZE, signal)
  const read = async (key: string, range: { start: number; end: number } | null = null) =>
    buffer(await store.read(key, range, NEVER))
  const keys = async (prefix: string) => {
    const found: string[] = []
    for await (const { key } of store.list(prefix)) found.push(key)
    return found.toSorted()
  }
  /** Nothing under the key, and no part of it anywhere else. */
  const expectNothingOf = async (key: string) => {
    await expect(store.read(key, null, NEVER)).rejects.toThrow(ArtifactMissing)
    expect(await keys(key)).toEqual([])
    expect(await opened.unfinished()).toEqual([])
  }

  describe('what is written', () => {
    test('comes back as it was, with its size and hash', async () => {
      const key = freshKey()
      const bytes = randomBytes(300_000)
      const sha256 = createHash('sha256').update(bytes).digest('hex')
      expect(await write(key, bytes)).toEqual({ sizeBytes: bytes.length, sha256 })
      expect(await read(key)).toEqual(bytes)
      expect(await opened.unfinished()).toEqual([])
    })

    test('may have a key of a body, deeper than that of an artifact', async () => {
      const owner = randomBytes(16).toString('hex')
      const key = bodyKeyOf(owner, 'a'.repeat(64))
      await write(key, Buffer.from('a body'))
      await write(bodyKeyOf(owner, 'b'.repeat(64)), Buffer.from('another'))
      expect((await read(key)).toString()).toBe('a body')
      expect(await keys(`bodies/${owner}/`)).toHaveLength(2)
      expect(await keys('bodies/')).toContain(key)
      await store.remove(key)
      expect(await keys(`bodies/${owner}/`)).toEqual([bodyKeyOf(owner, 'b'.repeat(64))])
      await expectNothingOf(key)
    })

    test('may be nothing', async () => {
      const key = freshKey()
      const sha256 = createHash('sha256').digest('hex')
      expect(await store.write(key, Readable.from([]), ANY_SIZE, NEVER)).toEqual({ sizeBytes: 0, sha256 })
      expect(await read(key)).toEqual(Buffer.alloc(0))
    })

    test('may come as text', async () => {
      const key = freshKey()
      await store.write(key, Readable.from(['grün', '😀']), ANY_SIZE, NEVER)
      expect((await read(key)).toString()).toBe('grün😀')
    })

    test('is read in ranges', async () => {
      const key = freshKey()
      await write(key, Buffer.from('0123456789'))
      expect((await read(key, { start: 0, end: 0 })).toString()).toBe('0')
      expect((await read(key, { start: 3, end: 6 })).toString()).toBe('3456')
      expect((await read(key, { start: 9, end: 9 })).toString()).toBe('9')
    })

    test.each([5 * MB - 1, 5 * MB, 5 * MB + 1, 10 * MB, 37 * MB + 11])('may have %i bytes', async (size) => {
      const key = freshKey()
      const written = await store.write(key, manyBytes(size), ANY_SIZE, NEVER)
      expect(written.sizeBytes).toBe(size)
      expect(await sizeAndHash(await store.read(key, null, NEVER))).toEqual(written)
      await store.remove(key)
    })

    test('is asked of its source no faster than it is taken', async () => {
      const key = freshKey()
      const takenBefore = opened.taken()
      let ahead = 0
      const source = manyBytes(100 * MB, (sent) => {
        ahead = Math.max(ahead, sent - (opened.taken() - takenBefore))
      })
      expect((await store.write(key, source, ANY_SIZE, NEVER)).sizeBytes).toBe(100 * MB)
      expect(opened.taken() - takenBefore).toBeGreaterThanOrEqual(100 * MB)
      expect(ahead).toBeLessThan(12 * MB)
      await store.remove(key)
    })

    test('side by side does not get mixed up', async () => {
      const each = Array.from({ length: 8 }, (_, index) => ({ key: freshKey(), bytes: randomBytes(700_000 + index) }))
      await Promise.all(each.map(({ key, bytes }) => write(key, bytes)))
      for (const { key, bytes } of each) expect((await read(key)).equals(bytes)).toBe(true)
    })
  })

  describe('a write that fails leaves nothing', () => {
    test.each([100_000, 20 * MB])('when its source fails after %i bytes', async (size) => {
      const key = freshKey()
      const broken = Readable.from(
        (async function* () {
          yield* manyBytes(size) as AsyncIterable<Buffer>
          throw new Error('the source broke')
        })(),
      )
      await expect(store.write(key, broken, ANY_SIZE, NEVER)).rejects.toThrow('the source broke')
      await expectNothingOf(key)
    })

    test('when its source had failed before', async () => {
      const key = freshKey()
      const source = new Readable({ read() {} })
      source.on('error', () => {})
      source.destroy(new Error('never was'))
      await expect(store.write(key, source, ANY_SIZE, NEVER)).rejects.toThrow('never was')
      await expectNothingOf(key)
    })

    test.each([100_000, 20 * MB])('when it is broken off after %i bytes, whatever the source does', async (size) => {
      const key = freshKey()
      const stop = new AbortController()
      const reason = new Error('the caller left')
      const chunk = randomBytes(50_000)
      let sent = 0
      // It never ends, but eventually stalls.
      const source = new Readable({
        read() {
          sent += chunk.length
          if (sent > size) stop.abort(reason)
          else this.push(chunk)
        },
      })
      await expect(store.write(key, source, ANY_SIZE, stop.signal)).rejects.toBe(reason)
      expect(source.destroyed).toBe(true)
      await expectNothingOf(key)
    })

    test('when it was broken off before it began', async () => {
      const key = freshKey()
      const reason = new Error('too late')
      const source = manyBytes(1000)
      await expect(store.write(key, source, ANY_SIZE, AbortSignal.abort(reason))).rejects.toBe(reason)
      expect(source.destroyed).toBe(true)
      await expectNothingOf(key)
    })

    test.each([1000, 12 * MB])('when it has more than %i bytes', async (maxBytes) => {
      const key = freshKey()
      const limits = { ...ANY_SIZE, maxBytes }
      const source = manyBytes(maxBytes + 1)
      await expect(store.write(key, source, limits, NEVER)).rejects.toThrow(ArtifactTooLarge)
      expect(source.destroyed).toBe(true)
      await expectNothingOf(key)
      expect((await store.write(key, manyBytes(maxBytes), limits, NEVER)).sizeBytes).toBe(maxBytes)
    })

    test('when there is no room, and takes nothing along', async () => {
      const before = freshKey()
      await write(before, Buffer.from('kept'))
      const undo = await opened.fill()
      const key = freshKey()
      const source = manyBytes(32 * MB)
      await expect(store.write(key, source, ANY_SIZE, NEVER)).rejects.toThrow(StorageFull)
      expect(source.destroyed).toBe(true)
      await undo()
      await expectNothingOf(key)
      expect((await read(before)).toString()).toBe('kept')
      await write(key, Buffer.from('room again'))
      expect((await read(key)).toString()).toBe('room again')
    })
  })

  describe('reading', () => {
    test('what is not there, or no more', async () => {
      await expect(store.read(freshKey(), null, NEVER)).rejects.toThrow(ArtifactMissing)
      await expect(store.read(freshKey(), { start: 0, end: 1 }, NEVER)).rejects.toThrow(ArtifactMissing)
      const key = freshKey()
      await write(key, Buffer.from('here'))
      // The folder of an artifact is not an artifact.
      await expect(store.read(key.split('/')[0]!, null, NEVER)).rejects.toThrow(ArtifactMissing)
      await store.remove(key)
      await store.remove(key)
      await expect(store.read(key, null, NEVER)).rejects.toThrow(ArtifactMissing)
    })

    test('ends when it is broken off', async () => {
      const key = freshKey()
      await store.write(key, manyBytes(20 * MB), ANY_SIZE, NEVER)
      const stop = new AbortController()
      const content = await store.read(key, null, stop.signal)
      const reading = sizeAndHash(content)
      stop.abort(new Error('enough'))
      await expect(reading).rejects.toThrow()
      expect(content.destroyed).toBe(true)
      await store.remove(key)
    })
  })

  test('lists what is below a prefix, with the time of writing', async () => {
    const [one, two] = [randomUUID(), randomUUID()]
    const own = [`${one}/a`, `${one}/b`, `${two}/c`]
    const startedAt = Date.now()
    for (const key of own) await write(key, Buffer.from(key))
    expect(await keys(`${one}/`)).toEqual([`${one}/a`, `${one}/b`])
    expect(await keys(one.slice(0, 20))).toEqual([`${one}/a`, `${one}/b`])
    expect(await keys(`${two}/c`)).toEqual([`${two}/c`])
    expect(await keys('')).toEqual(expect.arrayContaining(own))
    expect(await keys(randomUUID())).toEqual([])
    for await (const { writtenAt } of store.list(one)) {
      // Object stores have a resolution of seconds.
      expect(writtenAt).toBeGreaterThan(startedAt - 5000)
      expect(writtenAt).toBeLessThan(Date.now() + 5000)
    }
  })

  test('tells when it cannot be used, and works when it is back', async () => {
    await expect(store.ping()).resolves.toBeUndefined()
    const bringBack = await opened.takeAway()
    await expect(store.ping()).rejects.toThrow(StorageUnavailable)
    await expect(write(freshKey(), Buffer.from('x'))).rejects.toThrow(StorageUnavailable)
    await bringBack()
    await expect(store.ping()).resolves.toBeUndefined()
    const key = freshKey()
    await write(key, Buffer.from('back'))
    expect((await read(key)).toString()).toBe('back')
  })

  test('a URL of its own gives the bytes, and asks for the headers that they shall have', async () => {
    const key = freshKey()
    await write(key, Buffer.from('0123456789'))
    const contentDisposition = 'attachment; filename="ten.txt"'
    const url = await store.presign(key, { contentType: 'text/x-ten', contentDisposition, ttlSeconds: 60 })
    expect(store.origin).toBe(url && new URL(url).origin)
    if (url === null) return
    const response = await fetch(url)
    expect([response.status, await response.text()]).toEqual([200, '0123456789'])
    // The test server ignores these parameters, but they are signed.
    const asked = new URL(url).searchParams
    expect(asked.get('response-content-type')).toBe('text/x-ten')
    expect(asked.get('response-content-disposition')).toBe(contentDisposition)
    expect((await fetch(url, { headers: { range: 'bytes=2-3' } })).status).toBe(206)
  })
}
