import { createHash, randomUUID } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openDiskArtifactStore } from '../../src/adapters/artifacts/disk.ts'
import { Bodies, INLINE_BYTES, type BodiesOptions, type NewBody } from '../../src/domain/bodies/bodies.ts'
import { BodyCipher } from '../../src/domain/bodies/body-cipher.ts'
import { OperationBodies } from '../../src/domain/bodies/operation-bodies.ts'
import { OperationReads, ResponseTooLarge } from '../../src/domain/log/reading/operation-reads.ts'
import { createLogger } from '../../src/logger.ts'
import { StorageFull, StorageUnavailable, type ArtifactStore } from '../../src/ports/artifacts/artifact-store.ts'
import { StoreUnavailable } from '../../src/ports/store/store-errors.ts'
import { numbered, sampleSession, statusChange } from '../contracts/store-samples.ts'
import { store, useStore } from '../support/session-log.ts'

useStore()

const QUOTA = 10 * 1024 * 1024
const HOUR = 60 * 60 * 1000
const logger = createLogger('silent')
const NEVER = new AbortController().signal

let folder: string
let bytes: ArtifactStore

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tabwire-bodies-'))
  bytes = await openDiskArtifactStore(folder)
})

afterAll(() => rm(folder, { recursive: true, force: true }))

const bodiesWith = (members: Partial<BodiesOptions> = {}) =>
  new Bodies({ store, bytes, cipher: new BodyCipher([]), quotaBytes: QUOTA, logger, ...members })

let session: { id: string; owner: string }

async function newSession(owner = `owner-${randomUUID()}`) {
  const record = sampleSession({ owner })
  await store.insertSession(record, numbered([statusChange]))
  return { id: record.id, owner }
}

beforeEach(async () => {
  session = await newSession()
})

const textBody = (text: string, members: Partial<NewBody> = {}): NewBody => {
  const content = Buffer.from(text)
  return {
    bytes: content,
    contentType: 'text/plain',
    sizeBytes: content.length,
    truncated: 0,
    isText: true,
    ...members,
  }
}
const large = (seed: string) => textBody(seed.padEnd(INLINE_BYTES + 1, '.'))
const sha256 = ({ bytes: content }: NewBody) => createHash('sha256').update(content).digest('hex')
const files = async () =>
  (await readdir(join(folder, 'bodies'), { recursive: true }).catch(() => [])).filter((name) => name.includes('-'))

describe('a body', () => {
  test('of up to 16 KiB is part of its entry, as text or base64, and no file', async () => {
    const bodies = bodiesWith()
    const before = await files()
    const described = { contentType: 'text/plain', sizeBytes: 9, truncated: 2, sha256: null }
    expect(await bodies.save(session, textBody('grün 😀', { sizeBytes: 9, truncated: 2 }))).toEqual({
      body: { ...described, encoding: 'UTF8', inline: 'grün 😀' },
      omitted: null,
    })
    const binary = textBody('', { bytes: Buffer.from([0, 255]), isText: false, contentType: null })
    const kept = await bodies.save(session, binary)
    expect(kept.body).toMatchObject({ contentType: null, encoding: 'BASE64', inline: 'AP8=' })
    expect(await bodies.bytesOf(session.owner, kept.body!)).toEqual(binary.bytes)
    expect(await bodies.save(session, textBody('x'.repeat(INLINE_BYTES)))).toMatchObject({ body: { sha256: null } })
    expect(await files()).toEqual(before)
  })

  test('that is larger is stored by its hash, and read by its owner alone', async () => {
    const bodies = bodiesWith()
    const body = large('found again')
    const { body: data } = await bodies.save(session, body)
    expect(data).toEqual({
      contentType: 'text/plain',
      sizeBytes: body.sizeBytes,
      truncated: 0,
      encoding: 'UTF8',
      inline: null,
      sha256: sha256(body),
    })
    expect(await bodies.read(session.owner, sha256(body))).toEqual(body.bytes)
    expect(await bodies.bytesOf(session.owner, data!)).toEqual(body.bytes)
    expect(await bodies.read('someone else', sha256(body))).toBeNull()
    expect(await bodies.read(session.owner, '0'.repeat(64))).toBeNull()
    expect(await bodies.usedBytes(session.owner)).toBe(body.sizeBytes)
  })

  test('with U+0000 is stored apart, for no text of a database holds one', async () => {
    const bodies = bodiesWith()
    const body = textBody('a\0b')
    const { body: data } = await bodies.save(session, body)
    expect(data).toMatchObject({ encoding: 'UTF8', inline: null, sha256: sha256(body) })
    expect(await bodies.bytesOf(session.owner, data!)).toEqual(body.bytes)
  })

  test('that an owner has many times is one file, also when all come at once; another owner has one of his own', async () => {
    const bodies = bodiesWith()
    const before = (await files()).length
    const body = large('the same')
    const other = await newSession(session.owner)
    const kept = await Promise.all(
      Array.from({ length: 50 }, (_, index) => bodies.save(index % 2 ? session : other, body)),
    )
    expect(kept.every(({ body: data }) => data?.sha256 === sha256(body))).toBe(true)
    expect((await files()).length).toBe(before + 1)
    await bodies.save(await newSession(), body)
    expect((await files()).length).toBe(before + 2)
    // A server that has just started knows none of it.
    await bodiesWith().save(await newSession(session.owner), body)
    expect((await files()).length).toBe(before + 2)
    expect(await bodies.usedBytes(session.owner)).toBe(body.sizeBytes)
  })
})

describe('what stands in the way', () => {
  test('the quota: nothing is left of a body that does not fit', async () => {
    const bodies = bodiesWith({ quotaBytes: 40_000 })
    const before = (await files()).length
    expect(await bodies.save(session, large('first'))).toMatchObject({ omitted: null })
    expect(await bodies.save(session, large('second'))).toMatchObject({ omitted: null })
    expect(await bodies.save(session, large('third'))).toEqual({ body: null, omitted: 'QUOTA' })
    expect((await files()).length).toBe(before + 2)
    // An existing body takes no additional space.
    expect(await bodies.save(await newSession(session.owner), large('first'))).toMatchObject({ omitted: null })
    expect(await bodies.save(session, textBody('small'))).toMatchObject({ omitted: null })
  })

  test.each([
    ['a full disk', { write: async () => Promise.reject(new StorageFull('full')) }],
    ['a place that is away', { write: async () => Promise.reject(new StorageUnavailable('away')) }],
  ])('%s', async (_, failing) => {
    const bodies = bodiesWith({ bytes: { ...bytes, ...failing } })
    expect(await bodies.save(session, large('lost'))).toEqual({ body: null, omitted: 'STORE_FAILED' })
    expect(await bodies.read(session.owner, sha256(large('lost')))).toBeNull()
  })

  test('a disk whose rest is kept for the database, and a database that is away', async () => {
    const full = bodiesWith({ free: async () => 100 })
    expect(await full.save(session, large('no room'))).toEqual({ body: null, omitted: 'STORE_FAILED' })
    const away = { ...store, referToBody: async () => Promise.reject(new StoreUnavailable('away')) }
    const lost = bodiesWith({ store: away })
    expect(await lost.save(session, large('no database'))).toEqual({ body: null, omitted: 'STORE_FAILED' })
  })

  test('a store that hangs, when the server closes: it is given up, and closing waits for nothing else', async () => {
    const started = Promise.withResolvers<void>()
    const hanging: ArtifactStore = {
      ...bytes,
      write: async (_key, _content, _options, signal) => {
        started.resolve()
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
      },
    }
    const bodies = bodiesWith({ bytes: hanging })
    const saving = bodies.save(session, large('slow'))
    await started.promise
    await bodies.close()
    expect(await saving).toEqual({ body: null, omitted: 'LATE' })
    expect(await bodies.save(session, large('too late'))).toEqual({ body: null, omitted: 'LATE' })
    expect(await bodies.save(session, textBody('small'))).toMatchObject({ omitted: null })
  })

  test('more that waits than memory is for', async () => {
    const { promise: go, resolve } = Promise.withResolvers<void>()
    const slow: ArtifactStore = {
      ...bytes,
      write: async () => go.then(() => Promise.reject(new StorageUnavailable('away'))),
    }
    const bodies = bodiesWith({ bytes: slow })
    const of = (index: number) => textBody(String(index).padEnd(4 * 1024 * 1024, '.'))
    const saving = Array.from({ length: 20 }, (_, index) => bodies.save(session, of(index)))
    const late = await Promise.all(saving.slice(16))
    expect(late).toEqual(late.map(() => ({ body: null, omitted: 'LATE' })))
    resolve()
    await Promise.all(saving)
  })

  test('bytes that are gone', async () => {
    const bodies = bodiesWith()
    const body = large('vanishes')
    await bodies.save(session, body)
    const [row] = await bodies.find(session.owner, [sha256(body)])
    await bytes.remove(row!.key)
    expect(await bodies.read(session.owner, sha256(body))).toBeNull()
  })
})

describe('encryption', () => {
  const KEYS = { first: 'a'.repeat(32), second: 'b'.repeat(40) }
  const sealed = (...secrets: string[]) => bodiesWith({ cipher: new BodyCipher(secrets) })

  test('hides small and large bodies, and their owner reads them', async () => {
    const bodies = sealed(KEYS.first)
    const body = large('a secret text')
    const small = (await bodies.save(session, textBody('a small secret'))).body!
    const { body: stored } = await bodies.save(session, body)
    expect(small.encoding).toBe('SEALED_UTF8')
    expect(Buffer.from(small.inline!, 'base64').toString('latin1')).not.toContain('secret')
    const [row] = await bodies.find(session.owner, [stored!.sha256!])
    const file = await readFile(join(folder, row!.key))
    expect(file.toString('latin1')).not.toContain('secret')
    expect((await bodies.bytesOf(session.owner, small))?.toString()).toBe('a small secret')
    expect(await bodies.bytesOf(session.owner, stored!)).toEqual(body.bytes)
    expect(await bodies.bytesOf('someone else', small)).toBeNull()
    expect((await bodies.save(session, textBody('', { bytes: Buffer.from([1]), isText: false }))).body).toMatchObject({
      encoding: 'SEALED_BASE64',
    })
  })

  test('with a former key stays readable; without it there is nothing, and no exception', async () => {
    const before = sealed(KEYS.first)
    const body = large('of before')
    const small = (await before.save(session, textBody('small'))).body!
    await before.save(session, body)
    for (const bodies of [sealed(KEYS.second, KEYS.first), sealed(KEYS.first, KEYS.second)]) {
      expect(await bodies.read(session.owner, sha256(body))).toEqual(body.bytes)
      expect((await bodies.bytesOf(session.owner, small))?.toString()).toBe('small')
      expect(bodies.knowsInline(small)).toBe(true)
    }
    for (const bodies of [sealed(KEYS.second), bodiesWith()]) {
      expect(await bodies.read(session.owner, sha256(body))).toBeNull()
      expect(await bodies.bytesOf(session.owner, small)).toBeNull()
      expect(bodies.knowsInline(small)).toBe(false)
      const reading = new OperationBodies(bodies, new OperationReads())
      for (const data of [small, { ...small, inline: null, sha256: sha256(body) }]) {
        expect(await reading.outcomeOf(session.owner, data, null)).toEqual({ body: null, omitted: 'STORE_FAILED' })
      }
    }
  })

  test('that is new, or with another key, is what the next one has that is the same', async () => {
    const body = large('sealed anew')
    await bodiesWith().save(session, body)
    const later = await newSession(session.owner)
    await sealed(KEYS.first).save(later, body)
    const [row] = await sealed(KEYS.first).find(session.owner, [sha256(body)])
    expect((await readFile(join(folder, row!.key))).toString('latin1')).not.toContain('sealed anew')
    expect(await sealed(KEYS.first).read(session.owner, sha256(body))).toEqual(body.bytes)
    await sealed(KEYS.second).save(await newSession(session.owner), body)
    expect(await sealed(KEYS.second).read(session.owner, sha256(body))).toEqual(body.bytes)
  })

  test('that was damaged is no body', async () => {
    const bodies = sealed(KEYS.first)
    const body = large('damaged')
    await bodies.save(session, body)
    const [row] = await bodies.find(session.owner, [sha256(body)])
    await writeFile(join(folder, row!.key), 'short')
    expect(await bodies.read(session.owner, sha256(body))).toBeNull()
    const data = { contentType: null, sizeBytes: 1, truncated: 0, encoding: 'SEALED_UTF8', sha256: null } as const
    for (const inline of ['', 'AQ==', '!!', Buffer.alloc(100, 1).toString('base64')]) {
      expect(await bodies.bytesOf(session.owner, { ...data, inline })).toBeNull()
      expect(bodies.knowsInline({ ...data, inline })).toBe(false)
    }
  })
})

describe('what nobody needs any more', () => {
  const end = (id: string, endedAt: number) =>
    store.patchSession(id, { status: 'CLOSED', endReason: 'TERMINATED', endedAt })
  const deleteAll = async (endedBefore: number) => {
    while (await store.deleteEndedBefore(endedBefore)) continue
  }

  test('is deleted with the last session that refers to it, an hour later', async () => {
    const bodies = bodiesWith()
    const body = large('deleted')
    const other = await newSession(session.owner)
    await bodies.save(session, body)
    await bodies.save(other, body)
    const now = Date.now()
    const due = async (at: number) => {
      while (await bodies.deleteUnused(at)) continue
      return bodies.read(session.owner, sha256(body))
    }
    await end(session.id, 1_000)
    await deleteAll(1_001)
    expect(await store.findSession(session.id)).toBeNull()
    expect(await due(now + 2 * HOUR)).toEqual(body.bytes)
    await end(other.id, 1_000)
    await deleteAll(1_001)
    expect(await due(now + HOUR / 2)).toEqual(body.bytes)
    const [row] = await bodies.find(session.owner, [sha256(body)])
    expect(await due(now + 2 * HOUR)).toBeNull()
    await expect(bytes.read(row!.key, null, NEVER)).rejects.toThrow()
    expect(await bodies.usedBytes(session.owner)).toBe(0)
  })

  test('is swept where a server died before it could tell, unless it is young or the owner is unknown', async () => {
    const bodies = bodiesWith()
    await bodies.save(session, large('is there'))
    const [kept] = await bodies.find(session.owner, [sha256(large('is there'))])
    const place = kept!.key.slice(0, kept!.key.lastIndexOf('/'))
    const abandoned = `${place}/${'0'.repeat(64)}-000000000000`
    const young = `${place}/${'1'.repeat(64)}-000000000000`
    const unknown = `bodies/${'f'.repeat(32)}/${'2'.repeat(64)}-000000000000`
    const elsewhere = `${session.id}/${randomUUID()}`
    const { Readable } = await import('node:stream')
    for (const key of [abandoned, young, unknown, elsewhere]) {
      await bytes.write(key, Readable.from([Buffer.from('x')]), { contentType: 'text/plain', maxBytes: 10 }, NEVER)
    }
    const now = Date.now()
    const old = new Date(now - 2 * HOUR)
    for (const key of [kept!.key, abandoned, unknown, elsewhere]) await utimes(join(folder, key), old, old)
    expect(await bodies.sweep(now, NEVER)).toBe(1)
    const left: string[] = []
    for await (const { key } of bytes.list('')) left.push(key)
    expect(left).not.toContain(abandoned)
    expect(left).toEqual(expect.arrayContaining([kept!.key, young, unknown, elsewhere]))
  })
})

describe('an operation', () => {
  test('asks for the rows of many bodies once, and for the bytes of each once', async () => {
    const questions: string[][] = []
    const counting = {
      ...store,
      findBodies: async (owner: string, hashes: readonly string[]) => (
        questions.push([...hashes]),
        store.findBodies(owner, hashes)
      ),
    }
    let reads = 0
    const countingBytes: ArtifactStore = { ...bytes, read: async (...given) => ((reads += 1), bytes.read(...given)) }
    const bodies = bodiesWith({ store: counting, bytes: countingBytes })
    const all = Array.from({ length: 20 }, (_, index) => large(`body ${index}`))
    const data = await Promise.all(all.map(async (body) => (await bodies.save(session, body)).body!))
    questions.length = 0
    const reading = new OperationBodies(bodies, new OperationReads())
    const outcomes = await Promise.all(
      [...data, ...data].map(async (one) => reading.outcomeOf(session.owner, one, null)),
    )
    const contents = await Promise.all(outcomes.map(({ body }) => reading.bytesOf(body!)))
    expect(contents).toEqual([...all, ...all].map((body) => body.bytes))
    expect(questions).toHaveLength(1)
    expect(new Set(questions[0]).size).toBe(20)
    expect(reads).toBe(20)
  })

  test('reads no more than a response may hold, and says so of the rest', async () => {
    const bodies = bodiesWith({ quotaBytes: 100 * 1024 * 1024 })
    const of = (index: number) => textBody(String(index).padEnd(1.5 * 1024 * 1024, '.'))
    const data = await Promise.all([0, 1, 2, 3].map(async (index) => (await bodies.save(session, of(index))).body!))
    const reading = new OperationBodies(bodies, new OperationReads())
    const outcomes = await Promise.all(data.map(async (one) => reading.outcomeOf(session.owner, one, null)))
    const read = await Promise.allSettled(outcomes.map(({ body }) => reading.bytesOf(body!)))
    expect(read.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected'])
    expect(read[2]).toMatchObject({ reason: expect.any(ResponseTooLarge) as unknown })
    // One that is larger than all that is left is read alone.
    const alone = textBody('alone'.padEnd(7 * 1024 * 1024, '.'))
    const { body: largest } = await bodies.save(session, alone)
    const another = new OperationBodies(bodies, new OperationReads())
    const { body: found } = await another.outcomeOf(session.owner, largest, null)
    expect((await another.bytesOf(found!))?.length).toBe(alone.sizeBytes)
  })
})
