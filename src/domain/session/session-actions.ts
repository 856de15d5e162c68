import { Readable } from 'node:stream'
import {
  ACTION_ERROR_CODES,
  ACTION_LIMITS,
  type ActionError,
  type ActionErrorCode,
  type ActionOrigin,
  type ActionOutcome,
  type GivenFile,
  type MadeFile,
  type ObservationOutcome,
  type ObservationRequest,
} from '../../ports/browser/action.ts'
import { ACTION_KINDS } from '../../contract/actions/list.ts'
import type { ArtifactRecord } from '../../ports/artifacts/artifact.ts'
import type { BrowserSession } from '../../ports/browser/browser.ts'
import type { EntryData, EntryDraft, LogEntry } from '../../ports/log/log-entry.ts'
import type { Json } from '../../ports/base/json.ts'
import type { Cost } from '../../ports/tasks/task.ts'
import { ActionQueue } from './action-queue.ts'
import { ActionStop } from './action-stop.ts'
import type { GivenStep } from '../sessions/given-step.ts'
import type { Artifacts } from '../artifacts/artifacts.ts'
import { DatabaseUnavailable } from '../kernel/database-unavailable.ts'
import { NotFound, TabwireError } from '../kernel/errors.ts'
import { BrowserTimeout } from './browser-lease.ts'
import type { ArtifactRecorder } from './artifact-recorder.ts'
import type { SessionLog } from '../log/writing/session-log.ts'
import { Deadline } from '../../async/deadline.ts'

/** For steps without a timeout of their own. */
const STEP_MS = 30_000
/** Keeps small print legible. */
const PICTURE_QUALITY = 80
/** How long a response waits for the log while the store is unavailable. */
const COMMIT_WAIT_MS = 30_000
const NOT_RECORDED = 'the log could not be written; some actions may have run'

/** Steps to take, with their origin and page. */
export interface ActionRequest {
  origin: ActionOrigin
  /** Page of the first step; null for the oldest. */
  pageId: string | null
  /** For origin TASK: the id of the task. */
  taskId: string | null
  /** For origin TASK: the model's cost of requesting these steps. */
  cost: Cost | null
}

/** What actions need from their session. */
export interface ActionHost {
  readonly owner: string
  readonly log: SessionLog
  /** The entry with secrets masked. */
  redacted(draft: EntryDraft<'ACTION'>): EntryDraft<'ACTION'>
  /** Called before the entry of each action is appended. */
  acted(action: EntryData['ACTION'], at: number): void
  readonly files: ArtifactRecorder
  readonly artifacts: Artifacts
  /** Human-readable reason not to open a URL; null if it is allowed. */
  refuseAddress(url: string): string | null
  /** Throws SessionNotRunning. */
  browser(): BrowserSession
  /** See Session.occupy. */
  occupy(work: (stopped: AbortSignal) => Promise<void>): void
}

/** Actions of callers on one session's pages: queued, with deadlines, and all of them logged. */
export class SessionActions {
  readonly #host: ActionHost
  readonly #queue: ActionQueue
  readonly #requestMs: number

  constructor(host: ActionHost, queue = new ActionQueue(), requestMs: number = ACTION_LIMITS.requestMs) {
    this.#host = host
    this.#queue = queue
    this.#requestMs = requestMs
  }

  /**
   * Takes the steps in order, when it is their turn. The first failure stops the rest, which are returned as SKIPPED.
   * Resolves with one committed entry for each step, including skipped ones. Throws SessionNotRunning, NotFound (the
   * page), CapacityExceeded or DatabaseUnavailable.
   */
  run(
    steps: readonly GivenStep[],
    request: ActionRequest,
    signal: AbortSignal,
    requestMs = this.#requestMs,
  ): Promise<LogEntry<'ACTION'>[]> {
    const browser = this.#host.browser()
    if (request.pageId !== null && !browser.pages().some(({ pageId }) => pageId === request.pageId)) {
      throw new NotFound('page')
    }
    const { promise, resolve } = Promise.withResolvers<LogEntry<'ACTION'>[]>()
    this.#host.occupy(async (stopped) => {
      const taking = this.#inTurn(browser, steps, request, stopped, signal, requestMs)
      resolve(taking)
      await Promise.allSettled([taking])
    })
    return promise
  }

  /**
   * The current state of a page. Not queued, since observing does not interfere with actions. Throws
   * SessionNotRunning or NotFound.
   */
  async observe(request: Omit<ObservationRequest, 'signal'>, signal: AbortSignal): Promise<ObservationOutcome> {
    using deadline = new Deadline(STEP_MS, [signal])
    const browser = this.#host.browser()
    if (!browser.pages().some(({ pageId }) => pageId === request.pageId)) throw new NotFound('page')
    return await browser.observe({ ...request, signal: deadline.signal })
  }

  /** JPEG of a page's viewport; null if none can be taken. Throws SessionNotRunning. */
  async picture(pageId: string, signal: AbortSignal): Promise<Uint8Array | null> {
    using deadline = new Deadline(STEP_MS, [signal])
    return await this.#host.browser().picture(pageId, PICTURE_QUALITY, deadline.signal)
  }

  /**
   * Cookies, local storage and IndexedDB. Queued, so that no action runs at the same time. Throws SessionNotRunning,
   * or BrowserTimeout at the signal.
   */
  storageState(signal: AbortSignal): Promise<Json> {
    const browser = this.#host.browser()
    const { promise, resolve } = Promise.withResolvers<Json>()
    this.#host.occupy(async (stopped) => {
      const reading = this.#readStorage(browser, AbortSignal.any([stopped, signal]))
      resolve(reading)
      await Promise.allSettled([reading])
    })
    return promise
  }

  async #readStorage(browser: BrowserSession, signal: AbortSignal): Promise<Json> {
    const leave = await this.#queue.enter(signal)
    try {
      if (leave) return await browser.storageState(signal)
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      leave?.()
    }
    throw new BrowserTimeout(
      'The session did not tell its cookies and storage in time: it ended, a page hangs, or a dialog is open.',
    )
  }

  /** Places in the steps of artifacts that do not belong to the owner. */
  async missingArtifacts(steps: readonly (GivenStep | null)[]): Promise<{ step: number; index: number }[]> {
    const given = steps.flatMap((step, index) =>
      step?.name === 'upload' ? step.artifacts.map((uuid, place) => ({ uuid, step: index, index: place })) : [],
    )
    const found = await Promise.all(given.map(({ uuid }) => this.#findArtifact(uuid)))
    return given.filter((_, index) => found[index] === null)
  }

  async #inTurn(
    browser: BrowserSession,
    steps: readonly GivenStep[],
    request: ActionRequest,
    stopped: AbortSignal,
    caller: AbortSignal,
    requestMs: number,
  ): Promise<LogEntry<'ACTION'>[]> {
    using stop = new ActionStop(stopped, caller, request.origin, requestMs)
    const leave = await this.#queue.enter(stop.waiting)
    try {
      return await this.#takeAll(browser, steps, request, stop)
    } finally {
      leave?.()
    }
  }

  async #takeAll(
    browser: BrowserSession,
    steps: readonly GivenStep[],
    request: ActionRequest,
    stop: ActionStop,
  ): Promise<LogEntry<'ACTION'>[]> {
    const oldest = () => browser.pages()[0]?.pageId ?? null
    let pageId = request.pageId ?? oldest()
    let failedAt: number | null = null
    const entries: Promise<LogEntry | null>[] = []
    for (const [index, step] of steps.entries()) {
      const startedAt = Date.now()
      const start = performance.now()
      const why = failedAt === null ? stop.whyNotBegun() : skipped(failedAt)
      const outcome = why ? notTaken(why, pageId) : await this.#take(browser, step, pageId, stop)
      const { error } = outcome
      // A cancellation applies to all steps; any other failure belongs to one.
      if (error && error.code !== 'CANCELLED') failedAt ??= index
      if (!error && step.name === 'openPage') pageId = outcome.pageId
      else if (!error && step.name === 'closePage') pageId = oldest()
      const given: EntryData['ACTION'] = {
        type: ACTION_KINDS[step.name].type,
        origin: request.origin,
        pageId: outcome.pageId,
        startedAt,
        success: error === null,
        error,
        durationMs: Math.round(performance.now() - start),
        details: outcome.details,
        result: outcome.result,
        artifactId: outcome.artifactId,
        taskId: request.taskId,
        cost: index === 0 ? request.cost : null,
      }
      const draft = this.#host.redacted({ kind: 'ACTION', at: Date.now(), data: given })
      const { at, data } = draft
      this.#host.acted(data, at)
      entries.push(this.#host.log.commit(draft, { lastActivityAt: at }))
    }
    return committed(entries)
  }

  async #take(browser: BrowserSession, step: GivenStep, pageId: string | null, stop: ActionStop): Promise<TakenStep> {
    using deadline = stop.ofStep('timeoutMs' in step.input ? step.input.timeoutMs : STEP_MS)
    const { signal } = deadline
    const files = step.name === 'upload' ? await this.#givenFiles(step) : []
    if (!Array.isArray(files)) return notTaken(files, pageId)
    const refuseAddress = (url: string) => (url === 'about:blank' ? null : this.#host.refuseAddress(url))
    const taken = await browser.act(step, { pageId, files, refuseAddress, signal })
    const { file, ...outcome } = taken
    if (outcome.error) return { ...outcome, error: stop.whyBroken() ?? outcome.error, artifactId: null }
    if (!file) return { ...outcome, artifactId: null }
    const kept = await this.#save(file, outcome.pageId, signal)
    if (typeof kept === 'string') return { ...outcome, artifactId: kept }
    return { ...outcome, error: stop.whyBroken() ?? kept, artifactId: null }
  }

  /** Id of the artifact, or the reason why there is none. */
  async #save(file: MadeFile, pageId: string | null, signal: AbortSignal): Promise<string | ActionError> {
    const { kind, name, contentType, bytes } = file
    const content = Readable.from([bytes], { objectMode: false })
    try {
      const described = { kind, name, contentType, pageId, sizeBytes: bytes.byteLength }
      return (await this.#host.files.save(described, content, signal)).id
    } catch (error) {
      if (signal.aborted) return { code: 'TIMEOUT', message: 'The file was created, but could not be saved in time.' }
      if (error instanceof TabwireError && isActionErrorCode(error.code)) {
        return { code: error.code, message: error.message }
      }
      throw error
    }
  }

  /** Files for a step, or the reason why they are unavailable. */
  async #givenFiles({ artifacts, input }: Extract<GivenStep, { name: 'upload' }>): Promise<GivenFile[] | ActionError> {
    const found = await Promise.all(artifacts.map((uuid) => this.#findArtifact(uuid)))
    const missing = found.indexOf(null)
    if (missing >= 0) return { code: 'NOT_FOUND', message: `Artifact ${input.artifactIds[missing]} not found.` }
    return found.flatMap((record) => {
      if (!record) return []
      const { name, contentType, sizeBytes } = record
      const open = (signal: AbortSignal) => this.#host.artifacts.open(record, null, signal)
      return [{ name, contentType, sizeBytes, open }]
    })
  }

  async #findArtifact(uuid: string | null): Promise<ArtifactRecord | null> {
    return uuid === null ? null : this.#host.artifacts.find(this.#host.owner, uuid)
  }
}

type TakenStep = Omit<ActionOutcome, 'file'> & { artifactId: string | null }

const notTaken = (error: ActionError, pageId: string | null): TakenStep => ({
  error,
  pageId,
  details: {},
  result: null,
  artifactId: null,
})

const skipped = (failedAt: number): ActionError => ({
  code: 'SKIPPED',
  message: `Step ${failedAt + 1} of the request failed, so this one was skipped.`,
})

function isActionErrorCode(code: string): code is ActionErrorCode {
  return (ACTION_ERROR_CODES as readonly string[]).includes(code)
}

/** Throws DatabaseUnavailable: without an entry there is nothing to return. */
async function committed(waiting: readonly Promise<LogEntry | null>[]): Promise<LogEntry<'ACTION'>[]> {
  const entries = await Deadline.result(Promise.all(waiting), COMMIT_WAIT_MS)
  const actions = (entries ?? []).filter((entry) => entry?.kind === 'ACTION')
  if (actions.length !== waiting.length) throw new DatabaseUnavailable(NOT_RECORDED)
  return actions
}
