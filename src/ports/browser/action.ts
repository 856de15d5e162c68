import type { Readable } from 'node:stream'
import type { ActionStep, ActionType } from '../../contract/actions/list.ts'
import type { ActionError } from '../../contract/entries/action.ts'
import type { ArtifactKind } from '../artifacts/artifact.ts'
import type { Json } from '../base/json.ts'

export type { ActionStep, ActionType }

export {
  ACTION_ERROR_CODES,
  type ActionError,
  type ActionErrorCode,
  type ActionOrigin,
} from '../../contract/entries/action.ts'

/** Limits of a step's result, in UTF-16 code units of its JSON. Documented in docs/actions.md. */
export const ACTION_LIMITS = {
  result: 200_000,
  /** Nesting depth of lists and objects. */
  resultDepth: 100,
  message: 2_000,
  /** Of each text in `details`: a filled-in value, an expression. */
  detail: 2_000,
  stepsPerRequest: 100,
  /** Queued requests per session. */
  requestsWaiting: 100,
  /** Of a whole request, queue time included. */
  requestMs: 300_000,
} as const

/** A file that a step produced, to be saved as an artifact. */
export interface MadeFile {
  kind: ArtifactKind
  name: string
  contentType: string
  bytes: Uint8Array
}

/** A file that is passed to a step. */
export interface GivenFile {
  name: string
  contentType: string
  sizeBytes: number
  open(signal: AbortSignal): Promise<Readable>
}

export interface ActionContext {
  /** The target page; null: the session's oldest. */
  pageId: string | null
  /** For `upload`, in the order of its artifactIds; empty for other steps. */
  files: readonly GivenFile[]
  /** Why an address may not be opened; null: it may. The rules are the domain's (navigation-policy.ts). */
  refuseAddress(url: string): string | null
  /** Aborted shortly after the step's timeout, when its caller cancels it, or when the session ends. */
  signal: AbortSignal
}

/** The outcome of a step: data, never an exception. */
export interface ActionOutcome {
  error: ActionError | null
  /** The page that it used or opened; null: none. */
  pageId: string | null
  /** Its input and progress for the log, with values of password fields masked. */
  details: { [key: string]: Json }
  result: Json
  file: MadeFile | null
}

export interface ObservationRequest {
  pageId: string
  target: ActionStep<'hover'>['input']['target'] | null
  maxCharacters: number
  signal: AbortSignal
}

/** A page as a snapshot of its accessibility tree. */
export interface Observation {
  url: string
  title: string
  /** With refs for Target.ref. */
  snapshot: string
  /** UTF-16 code units cut off. */
  truncated: number
}

export type ObservationOutcome = { observation: Observation; error: null } | { observation: null; error: ActionError }
