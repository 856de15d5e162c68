import type { Readable } from 'node:stream'
import type { ActionStep, ActionType } from '../contract/actions/list.ts'
import type { ActionError } from '../contract/entries/action.ts'
import type { ArtifactKind } from './artifact.ts'
import type { Json } from './json.ts'

export type { ActionStep, ActionType }

export {
  ACTION_ERROR_CODES,
  type ActionError,
  type ActionErrorCode,
  type ActionOrigin,
} from '../contract/entries/action.ts'

/** Bounds of what a step may bring back, in UTF-16 code units of its JSON. Documented in docs/actions.md. */
export const ACTION_LIMITS = {
  result: 200_000,
  /** Lists and objects within one another. */
  resultDepth: 100,
  message: 2_000,
  /** Of each text in `details`: a value that was filled in, an expression. */
  detail: 2_000,
  stepsPerRequest: 100,
  /** Requests that wait for their turn in one session. */
  requestsWaiting: 100,
  /** Of a whole request, queue time included. */
  requestMs: 300_000,
} as const

/** A file that a step made, to be kept as an artifact. */
export interface MadeFile {
  kind: ArtifactKind
  name: string
  contentType: string
  bytes: Uint8Array
}

/** A file that a step is given. */
export interface GivenFile {
  name: string
  contentType: string
  sizeBytes: number
  open(signal: AbortSignal): Promise<Readable>
}

export interface ActionContext {
  /** The page to act on; null: the session's oldest. */
  pageId: string | null
  /** Of `upload`, in the order of its artifactIds; empty for the others. */
  files: readonly GivenFile[]
  /** Why an address may not be opened; null: it may. The rules are the domain's (navigation-policy.ts). */
  refuseAddress(url: string): string | null
  /** Fires a moment after the step's time is up, when its caller cancels it, or when the session ends. */
  signal: AbortSignal
}

/** How a step went: data, never an exception. */
export interface ActionOutcome {
  error: ActionError | null
  /** The page that it acted on, or opened; null when there was none. */
  pageId: string | null
  /** What the log shows of its input and its course, with values of password fields masked. */
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
  /** With refs that work in Target.ref. */
  snapshot: string
  /** UTF-16 code units cut off. */
  truncated: number
}

export type ObservationOutcome = { observation: Observation; error: null } | { observation: null; error: ActionError }
