import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { beforeEach, expect, test } from 'vitest'
import type { Artifacts } from '../../src/domain/artifacts/artifacts.ts'
import { ArtifactRecorder } from '../../src/domain/session/artifact-recorder.ts'
import { createLogger } from '../../src/logger.ts'

let kept: string[]
let files: ArtifactRecorder

beforeEach(() => {
  kept = []
  const save: Artifacts['save'] = async (artifact, content) => {
    kept.push(await text(content))
    return { ...artifact, id: 'kept', sizeBytes: 1, sha256: '', createdAt: 1 }
  }
  files = new ArtifactRecorder({ id: 's', owner: 'o' }, { save } as Artifacts, () => {}, createLogger('silent'))
})

const saveFile = (open: () => Promise<Readable>) =>
  files.saveFile({ kind: 'DOWNLOAD', name: 'file', contentType: 'text/plain', pageId: null, open })

test('a file that the browser made is kept', async () => {
  expect(await saveFile(async () => Readable.from(['bytes']))).toEqual({ artifactId: 'kept', failure: null })
  expect(kept).toEqual(['bytes'])
})

test('one that cannot be opened is not kept, and where it is says nobody', async () => {
  const refused = saveFile(() => Promise.reject(new Error('ENOENT: /var/tmp/secret')))
  expect(await refused).toEqual({ artifactId: null, failure: 'it could not be kept' })
  expect(kept).toEqual([])
})
