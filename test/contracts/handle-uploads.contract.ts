import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { TabwireError } from '../../src/domain/kernel/errors.ts'
import type { SessionHandle } from '../../src/domain/sessions/session-handle.ts'
import { OWNER } from '../support/live-sessions.ts'
import { history, store } from '../support/session-log.ts'

export const NEVER = new AbortController().signal

export const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error: unknown) => (error instanceof TabwireError ? error.code : `no refusal: ${String(error)}`),
  )

/** Contract of every session handle: uploads. */
export function describeUploads(handle: () => SessionHandle): void {
  describe('uploads', () => {
    const file = () => ({
      id: crypto.randomUUID(),
      name: 'notes.bin',
      contentType: 'application/octet-stream',
      announcedBytes: null,
    })

    test('are kept whole, and the log has them', async () => {
      const chunks = [Buffer.from([0, 255, 128]), Buffer.alloc(300_000, 7), Buffer.from('end')]
      const given = file()
      const kept = await handle().saveUpload(given, Readable.from(chunks), NEVER)
      const { id, name } = given
      expect(kept).toMatchObject({ id, name, kind: 'UPLOAD', owner: OWNER, sizeBytes: 300_006 })
      expect(await store.findArtifact(id)).toEqual(kept)
      await handle().update({})
      expect((await history(handle().sessionId)).findLast(({ kind }) => kind === 'ARTIFACT_CREATED')).toMatchObject({
        data: { artifactId: id },
      })
    })

    test('are read no faster than they are written, and no further than the quota', async () => {
      let given = 0
      let isClosed = false
      const endless = {
        [Symbol.asyncIterator]: () => ({
          next: async () => {
            given += 65_536
            return { done: false as const, value: Buffer.alloc(65_536) }
          },
          return: async () => {
            isClosed = true
            return { done: true as const, value: undefined }
          },
        }),
      }
      expect(await codeOf(handle().saveUpload(file(), endless, NEVER))).toBe('QUOTA_EXCEEDED')
      expect(given).toBeLessThan(4 * 1024 * 1024)
      await expect.poll(() => isClosed).toBe(true)
    })

    test('end by the signal, and with the error of their source; nothing of them is left', async () => {
      const before = await store.countArtifacts(handle().sessionId, 'UPLOAD')
      const leaving = new AbortController()
      const silent = new Readable({ read() {} })
      silent.push('begun')
      const keeping = handle().saveUpload(file(), silent, leaving.signal)
      const reason = new Error('nobody waits')
      leaving.abort(reason)
      await expect(keeping).rejects.toBe(reason)
      const broken = new Error('the source broke')
      const failing = new Readable({ read() {} })
      const failed = handle().saveUpload(file(), failing, NEVER)
      failing.destroy(broken)
      await expect(failed).rejects.toBe(broken)
      expect(await store.countArtifacts(handle().sessionId, 'UPLOAD')).toBe(before)
    })
  })
}
