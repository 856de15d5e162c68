import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ArtifactStore } from '../../ports/artifact-store.ts'

/** Artifacts as files below a folder. */
export function createDiskArtifactStore(folder: string): ArtifactStore {
  const pathOf = (key: string) => join(folder, key)
  return {
    write: async (key, content, _options, signal) => {
      const path = pathOf(key)
      await mkdir(dirname(path), { recursive: true, mode: 0o700 })
      const hash = createHash('sha256')
      let sizeBytes = 0
      const measured = new Transform({
        transform(chunk: Buffer, _, done) {
          hash.update(chunk)
          sizeBytes += chunk.length
          done(null, chunk)
        },
      })
      await pipeline(content, measured, createWriteStream(`${path}.part`, { mode: 0o600 }), { signal })
      await rename(`${path}.part`, path)
      return { sizeBytes, sha256: hash.digest('hex') }
    },
    read: async (key, range) => createReadStream(pathOf(key), range ?? {}),
    remove: (key) => rm(pathOf(key), { force: true }),
    async *list() {},
    presign: async () => null,
    ping: async () => {},
    describe: () => `files in ${folder}`,
    close: async () => {},
  }
}
