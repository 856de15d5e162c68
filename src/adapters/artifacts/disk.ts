import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { access, constants, mkdir, open, opendir, rename, rm, rmdir, stat, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { addAbortSignal, type Readable } from 'node:stream'
import pRetry from 'p-retry'
import {
  ArtifactMissing,
  ArtifactTooLarge,
  StorageFull,
  StorageUnavailable,
  type ArtifactStore,
  type WrittenArtifact,
} from '../../ports/artifacts/artifact-store.ts'

/** Folder of files that are still being written. Keys contain no dot, so there is no conflict. */
const UNFINISHED = '.unfinished'

const MOVE_TRIES = 5

const KEY = /^[a-z0-9-]{1,100}(\/[a-z0-9-]{1,100})*$/

/**
 * Artifacts as files below a folder that is used by this process only. A file is written and flushed under another name
 * and then renamed, so that under a key there is all of it or nothing, also after a power failure.
 */
export async function openDiskArtifactStore(folder: string): Promise<ArtifactStore> {
  const unfinished = join(folder, UNFINISHED)
  await asWriteError(async () => {
    // Left over from a process that crashed while writing.
    await rm(unfinished, { recursive: true, force: true })
    await mkdir(unfinished, { recursive: true, mode: 0o700 })
  })

  const pathOf = (key: string): string => {
    if (!KEY.test(key)) throw new Error(`${JSON.stringify(key)} is no key of an artifact`)
    return join(folder, key)
  }

  return {
    async write(key, content, { maxBytes }, signal) {
      const path = pathOf(key)
      const draft = join(unfinished, randomUUID())
      try {
        const written = await writeDraft(draft, content, maxBytes, signal)
        await asWriteError(() => moveInto(path, draft, folder))
        if (signal.aborted) {
          await rm(path, { force: true })
          throw signal.reason
        }
        return written
      } catch (error) {
        content.destroy()
        await rm(draft, { force: true }).catch(() => undefined)
        throw error
      }
    },

    async read(key, range, signal) {
      const path = pathOf(key)
      signal.throwIfAborted()
      const file = await asStorageError(() => open(path, 'r'))
      try {
        const found = await file.stat()
        if (!found.isFile()) throw new ArtifactMissing(`there is no artifact ${key}`)
        signal.throwIfAborted()
        return addAbortSignal(signal, createReadStream('', { fd: file, ...range }))
      } catch (error) {
        await file.close()
        throw error
      }
    },

    async remove(key) {
      const path = pathOf(key)
      await asStorageError(() => rm(path, { force: true }))
      // Only empty folders are removed, and a write that needs one creates it again.
      if (dirname(path) !== folder) await rmdir(dirname(path)).catch(() => undefined)
    },

    list: (prefix) => listFiles(folder, '', prefix),

    presign: async () => null,

    origin: null,

    async ping() {
      await asWriteError(async () => {
        const found = await stat(unfinished)
        if (!found.isDirectory()) throw new StorageUnavailable(`${unfinished} is no folder`)
        await access(folder, constants.W_OK)
      })
    },

    describe: () => `files in ${folder}`,

    close: async () => {},
  }
}

/** Chunk by chunk: the next is requested after this one is written, so that a fast source does not fill the memory. */
async function writeDraft(
  path: string,
  content: Readable,
  maxBytes: number,
  signal: AbortSignal,
): Promise<WrittenArtifact> {
  const stop = () => content.destroy()
  // It may fail before it is read; reading reports that, but an 'error' event without a listener would end the process.
  content.on('error', () => {})
  signal.addEventListener('abort', stop)
  let file: FileHandle | undefined
  try {
    signal.throwIfAborted()
    const draft = await asWriteError(() => openDraft(path))
    file = draft
    const hash = createHash('sha256')
    let sizeBytes = 0
    for await (const chunk of content as AsyncIterable<Uint8Array | string>) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
      sizeBytes += bytes.length
      if (sizeBytes > maxBytes) throw new ArtifactTooLarge(`it has more than ${maxBytes} bytes`)
      hash.update(bytes)
      await asWriteError(() => draft.writeFile(bytes))
      signal.throwIfAborted()
    }
    await asWriteError(() => draft.sync())
    signal.throwIfAborted()
    return { sizeBytes, sha256: hash.digest('hex') }
  } catch (error) {
    // Destroying the source makes it emit an error; the original reason counts.
    throw signal.aborted ? signal.reason : error
  } finally {
    signal.removeEventListener('abort', stop)
    await file?.close()
  }
}

async function openDraft(path: string): Promise<FileHandle> {
  const make = () => open(path, 'wx', 0o600)
  try {
    return await make()
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
    // The folder was removed while the server ran.
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    return make()
  }
}

/** The folder may be removed between its creation and its use: deleting the last file of a session deletes it, too. */
async function moveInto(path: string, draft: string, root: string): Promise<void> {
  const move = async () => {
    await makeFolder(dirname(path), root)
    await rename(draft, path)
    await flushFolder(dirname(path))
  }
  const shouldRetry = ({ error }: { error: unknown }) => codeOf(error) === 'ENOENT'
  await pRetry(move, { retries: MOVE_TRIES - 1, minTimeout: 0, shouldRetry })
}

/** Creates the folders down to this one, each flushed into its parent. */
async function makeFolder(path: string, root: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  for (let made = path; made !== root && made.length >= first.length; made = dirname(made)) {
    await flushFolder(dirname(made))
  }
}

async function flushFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

async function* listFiles(
  folder: string,
  below: string,
  prefix: string,
): AsyncGenerator<{ key: string; writtenAt: number }, void, void> {
  const entries = await opendir(join(folder, below)).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null
    throw new StorageUnavailable(`${folder} cannot be read`, { cause: error })
  })
  if (!entries) return
  for await (const entry of entries) {
    const key = below === '' ? entry.name : `${below}/${entry.name}`
    if (!KEY.test(key)) continue
    if (entry.isDirectory()) {
      if (`${key}/`.startsWith(prefix) || prefix.startsWith(`${key}/`)) yield* listFiles(folder, key, prefix)
    } else if (key.startsWith(prefix)) {
      // It may be removed between listing and stat.
      const found = await stat(join(folder, key)).catch(() => null)
      if (found) yield { key, writtenAt: found.mtimeMs }
    }
  }
}

/** Maps errors of the file system to those of the port. */
async function asStorageError<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const code = codeOf(error)
    if (code === undefined) throw error
    const because = { cause: error }
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new ArtifactMissing('there is no such file', because)
    if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') throw new StorageFull('the disk is full', because)
    throw new StorageUnavailable(`the file system answered ${code}`, because)
  }
}

/** A missing file other than an artifact to be read is a fault of the store. */
async function asWriteError<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await asStorageError(work)
  } catch (error) {
    if (error instanceof ArtifactMissing) throw new StorageUnavailable('the folder is gone', { cause: error })
    throw error
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
