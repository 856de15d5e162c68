import type { NamedUpload } from '../../../ports/browser/cdp-client.ts'
import { OwnDirectory } from './own-directory.ts'
import { stageDirectory, stageFiles } from './staged-files.ts'

/** There is no room for a copy. */
export class NoSpaceForUpload extends Error {}

/**
 * The session's own copies of what clients give to pages: of its uploads, by name, each written once on demand; and of
 * directories of clients on this machine.
 */
export class ClientUploads {
  readonly #dir: string
  readonly #paths = new Map<string, Promise<string>>()
  readonly #stop = new AbortController()
  /** Why there is no room for that many bytes, for people; null: there is. Replace it. */
  refuse: (bytes: number) => string | null = () => null

  constructor(dir: string) {
    this.#dir = dir
  }

  /** Rejects with NoSpaceForUpload, or when it cannot be read or written. */
  path(upload: NamedUpload): Promise<string> {
    const { artifactId } = upload
    const writing = this.#paths.get(artifactId) ?? this.#write(upload)
    this.#paths.set(artifactId, writing)
    // The next call tries again.
    writing.catch(() => this.#paths.delete(artifactId))
    return writing
  }

  /**
   * A copy of a directory of the client's user. Null: there is no such directory. Rejects with DirectoryRefused,
   * NoSpaceForUpload, or when it cannot be read or written.
   */
  async directory(path: string, uid: number): Promise<string | null> {
    await using directory = await OwnDirectory.open(path, uid)
    if (!directory) return null
    const files = await directory.files()
    this.#checkSpace(files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0))
    return await stageDirectory(directory, files, this.#dir, this.#stop.signal)
  }

  /** Cancels writes in progress. */
  dispose(): void {
    this.#stop.abort(new Error('the session ends'))
  }

  async #write(upload: NamedUpload): Promise<string> {
    this.#checkSpace(upload.sizeBytes)
    const [path] = await stageFiles([upload], this.#dir, this.#stop.signal)
    return path!
  }

  #checkSpace(bytes: number): void {
    const refusal = this.refuse(bytes)
    if (refusal !== null) throw new NoSpaceForUpload(refusal)
  }
}
