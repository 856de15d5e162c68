import type { Logger } from '../../../logger.ts'
import type { CdpClientHost } from '../../../ports/browser/cdp-client.ts'
import { DirectoryRefused } from '../files/own-directory.ts'
import { NoSpaceForUpload, type ClientUploads } from '../files/client-uploads.ts'
import { Semaphore } from '../../../async/semaphore.ts'
import { cutText } from '../cdp/protocol/cut-text.ts'
import { LOOKS_AT_INPUT } from '../library/playwright-errors.ts'
import type { CommandParams } from './command-policy.ts'
import { CALL_FUNCTION, exceptionOf } from './script-exception.ts'

export const SET_FILES = 'DOM.setFileInputFiles'
/** A page takes more only as a folder. */
const MAX_FILES = 100
const MAX_NAME = 200
/** Of what a client calls a file; the longest path that systems have. */
const MAX_PATH = 4096
/** Commands, one of which is served while the others wait: each is a question to the database. */
const MAX_WAITING = 20
/** Playwright tries again after 20 ms, then 50, 100 and 500. */
const AGAIN_MS = 2_000

interface Refused {
  sessionId: string
  files: string
  message: string
  at: number
  times: number
}

/**
 * Gives pages files by name: those that were uploaded to the session, as no client has the browser's disk; and
 * directories of a client on this machine, of which Playwright sends only the path.
 */
export class FileInputs {
  readonly #host: Pick<CdpClientHost, 'uploadNamed'>
  readonly #uploads: ClientUploads
  readonly #localUser: () => Promise<number | null>
  readonly #logger: Logger
  #refused: Refused | null = null
  readonly #turn = new Semaphore(1)

  /** `localUser`: the client's user, if it has shown that it runs on this machine. May reject. */
  constructor(
    host: Pick<CdpClientHost, 'uploadNamed'>,
    uploads: ClientUploads,
    localUser: () => Promise<number | null>,
    logger: Logger,
  ) {
    this.#host = host
    this.#uploads = uploads
    this.#localUser = localUser
    this.#logger = logger
  }

  /** The parameters that the browser is given, or why the command is refused. Never rejects. */
  async resolve(params: CommandParams, sessionId: string): Promise<{ params: CommandParams } | { refusal: string }> {
    const files: unknown = params['files']
    if (!Array.isArray(files) || !files.every((file) => typeof file === 'string'))
      return { refusal: 'files must be texts' }
    // Names are kept while others are served, and after they were refused.
    const excess = excessOf(files)
    if (excess === null && this.#turn.waiting >= MAX_WAITING - 1)
      return { refusal: `at most ${MAX_WAITING} such commands can wait at once` }
    const found = excess ?? (await this.#inTurn(() => this.#find(files)))
    if (typeof found !== 'string') return { params: { ...params, files: found } }
    this.#note(sessionId, excess ?? files.join('\n'), `${SET_FILES} is not served: ${found}`)
    return { refusal: found }
  }

  /**
   * What a script's answer is instead of the browser's; null: the browser is asked. Playwright takes a refused command
   * for a passing trouble, and repeats it until its time is up, whose error says nothing of the reason. An exception of
   * the script that comes before the command it shows at once.
   */
  exceptionInstead(method: string, params: CommandParams, sessionId: string): object | null {
    const refused = this.#refused
    if (method !== CALL_FUNCTION || refused?.sessionId !== sessionId || refused.times < 2) return null
    if (performance.now() - refused.at > AGAIN_MS || !JSON.stringify(params).includes(LOOKS_AT_INPUT)) return null
    this.#refused = null
    return exceptionOf(refused.message)
  }

  /** One after the other. What fails is logged, and refused. */
  async #inTurn(find: () => Promise<string[] | string>): Promise<string[] | string> {
    try {
      return await this.#turn.run(find)
    } catch (error) {
      this.#logger.warn({ err: error }, 'a file that a client named could not be given to a page')
      return 'the file could not be read now; try again later'
    }
  }

  async #find(files: readonly string[]): Promise<string[] | string> {
    const paths: string[] = []
    for (const file of files) {
      const upload = await this.#host.uploadNamed(file)
      if (!upload) {
        const directory = files.length === 1 ? await this.#directory(file) : null
        if (directory) return directory
        const name = JSON.stringify(cutText(file, MAX_NAME))
        return `${name} is not the name of an upload of this session. Upload the file first (createUpload) and give its name, or give its contents: of the machine on which the browser runs only directories are read, for a Playwright client of the user who owns them`
      }
      try {
        paths.push(await this.#uploads.path(upload))
      } catch (error) {
        if (error instanceof NoSpaceForUpload) return error.message
        throw error
      }
    }
    return paths
  }

  /** A copy of a directory; why it is refused; or null: there is none, or not for this client. */
  async #directory(path: string): Promise<string[] | string | null> {
    const uid = await this.#localUser()
    if (uid === null) return null
    try {
      const copy = await this.#uploads.directory(path, uid)
      return copy === null ? null : [copy]
    } catch (error) {
      if (error instanceof NoSpaceForUpload) return error.message
      if (error instanceof DirectoryRefused) return `the directory cannot be given: ${error.message}`
      throw error
    }
  }

  #note(sessionId: string, files: string, message: string): void {
    const last = this.#refused
    const now = performance.now()
    const isSame = last?.sessionId === sessionId && last.files === files && now - last.at < AGAIN_MS
    this.#refused = { sessionId, files, message, at: now, times: isSame ? last.times + 1 : 1 }
  }
}

/** Why there is too much of what a client names; null: there is not. */
function excessOf(files: readonly string[]): string | null {
  if (files.length > MAX_FILES) return `at most ${MAX_FILES} files can be given at once`
  return files.some((file) => file.length > MAX_PATH) ? `a name has at most ${MAX_PATH} characters` : null
}
