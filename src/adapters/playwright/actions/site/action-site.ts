import type { BrowserContext, Page } from 'playwright'
import { ACTION_LIMITS, type GivenFile, type MadeFile } from '../../../../ports/browser/action.ts'
import type { Json } from '../../../../ports/base/json.ts'
import type { CdpMethod, CdpParams, CdpResult } from '../../cdp/protocol/cdp-commands.ts'
import { cutText } from '../../cdp/protocol/cut-text.ts'
import type { PausedTargets } from '../../cdp/targets/page-answers.ts'
import type { Dialogs } from './dialogs.ts'
import type { SecretTyping } from './secret-typing.ts'
import type { PageDirectory } from '../../cdp/targets/page-directory.ts'
import type { OwnNavigation } from '../../network/navigation-watch.ts'

/** Where a step is taken, and what it may use. */
export interface ActionSite {
  readonly page: Page
  /** Null while there is none, as for a step that opens one. */
  readonly pageId: string | null
  readonly context: BrowserContext
  /** Of the pages of the session. */
  readonly deviceScaleFactor: number
  readonly pages: PageDirectory
  /** Asks the page on the session of the protocol that is there already. */
  readonly sendCommand: <M extends CdpMethod>(method: M, params: CdpParams<M>) => Promise<CdpResult<M>>
  /** Whether a script of the step runs: one that still does when its time is up may block the page. */
  readonly script: { isRunning: boolean }
  /** Null: no popup of the page is held. Else resolves when none is. */
  readonly whenPopupsResumed: () => Promise<void> | null
  readonly dialogs: Dialogs
  readonly pausedTargets: PausedTargets
  /** What the log will show of the step, also when it fails. */
  readonly details: ActionDetails
  readonly files: readonly GivenFile[]
  /** A folder below which the browser may read files. */
  readonly uploadsDir: string
  /** Why there is no room for so many bytes more in there, for people; null: there is. */
  refuseUpload(bytes: number): string | null
  /** What was asked for, which is what people are told. */
  readonly timeoutMs: number
  /** What Playwright may take of it, so that there is time to find out why it took longer. */
  readonly timeout: number
  readonly signal: AbortSignal
  refuseAddress(url: string): string | null
  /** See EventSink. */
  expectSecret(text: string): () => void
  readonly typing: SecretTyping
  /** Call it before a page is sent somewhere: what is refused is told of that navigation alone from then on. */
  follow(pageId: string, url: string): OwnNavigation
}

/** What a step that went well brought. */
export interface ActionEffect {
  result?: Json
  file?: MadeFile
  /** Of the page that it opened. */
  pageId?: string
}

export type ActionHandler<Input> = (site: ActionSite, input: Input) => Promise<ActionEffect>

/** Texts are cut: what a log shows of a step is no place for a whole page. */
export class ActionDetails {
  readonly #members: { [key: string]: Json } = {}

  note(members: { [key: string]: Json }): void {
    for (const [name, value] of Object.entries(members)) {
      this.#members[name] = typeof value === 'string' ? cutText(value, ACTION_LIMITS.detail) : value
    }
  }

  get members(): { [key: string]: Json } {
    return this.#members
  }
}
