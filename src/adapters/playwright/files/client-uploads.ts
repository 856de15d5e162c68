import type { NamedUpload } from '../../../ports/cdp-client.ts'
import { stageFiles } from './staged-files.ts'

/** There is no room for a copy. */
export class NoRoomForUpload extends Error {}

/** The session's own copies of its uploads, which clients give to pages by name. Each is written once, on demand. */
export class ClientUploads {
  readonly #dir: string
  readonly #paths = new Map<string, Promise<string>>()
  readonly #stop = new AbortController()
  /** Why there is no room for that many bytes, for people; null: there is. Replace it. */
  refuse: (bytes: number) => string | null = () => null

  constructor(dir: string) {
    this.#dir = dir
  }

  /** Rejects with NoRoomForUpload, or when it cannot be read or written. */
  path(upload: NamedUpload): Promise<string> {
    const { artifactId } = upload
    const writing = this.#paths.get(artifactId) ?? this.#write(upload)
    this.#paths.set(artifactId, writing)
    // The next call tries again.
    writing.catch(() => this.#paths.delete(artifactId))
    return writing
  }

  /** Cancels writes in progress. */
  dispose(): void {
    this.#stop.abort(new Error('the session ends'))
  }

  async #write(upload: NamedUpload): Promise<string> {
    const refusal = this.refuse(upload.sizeBytes)
    if (refusal !== null) throw new NoRoomForUpload(refusal)
    const [path] = await stageFiles([upload], this.#dir, this.#stop.signal)
    return path!
  }
}
