import { randomUUID } from 'node:crypto'
import { existsSync, statSync } from 'node:fs'
import { readdir, rename, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { BrowserContext, BrowserContextOptions, Page } from 'playwright'
import type { Logger } from '../../../logger.ts'
import type { BrowserRecordingKind } from '../../../ports/artifacts/artifact.ts'
import type { BrowserFile, BrowserOptions, EventSink } from '../../../ports/browser/browser.ts'
import type { ArtifactFailureCode } from '../../../ports/log/log-entry.ts'
import { isPlaywrightSignal } from '../cdp/protocol/playwright-signal.ts'
import { PageDirectory } from '../cdp/targets/page-directory.ts'
import type { BrowserProcess } from '../launch/browser-process.ts'
import { Deadline } from '../../../async/deadline.ts'
import type { TargetRegistry } from '../cdp/targets/target-registry.ts'
import { openPlainFile } from '../launch/plain-file.ts'
import type { FolderSizes } from '../launch/temp-space.ts'
import type { AuthorizationRedaction } from './authorization-redaction.ts'
import { endFfmpeg, isBeingWritten } from './ffmpeg.ts'
import { RecordingBudget } from './recording-budget.ts'
import { TRACE_FOLDERS } from '../library/playwright-files.ts'
import { archiveTrace } from './partial-trace.ts'
import { isFinishedWebm } from './webm.ts'

/** The longer side of a video: a larger one costs most of a core, and this is sharp enough for people. */
const LONGEST_SIDE = 1280
const LOOK_AGAIN_MS = 100
/** Searching the system's processes for its ffmpeg takes longer than checking a video. */
const LOOKS_PER_SEARCH = 10
/** How long an ffmpeg may take to start. */
const START_MS = 5_000
const TRACE = { kind: 'TRACE', name: 'trace.zip', contentType: 'application/zip', pageId: null } as const

interface Video {
  path: string | null
  pageId: string | null
  /** Settles when its path is known, or cannot be. Never rejects. */
  located: Promise<void>
  budget: RecordingBudget
  /** Bytes at the last check. */
  bytes: number
  /** Whether its ffmpeg was asked to end. */
  isStopping: boolean
}

/** A session's recordings beside its log: videos of its pages, a trace. */
export class CaptureSet {
  readonly #kinds: ReadonlySet<BrowserRecordingKind>
  readonly #process: BrowserProcess
  readonly #logger: Logger
  readonly #traceName = `trace-${randomUUID()}`
  readonly #targets: TargetRegistry
  readonly #videos = new Map<Page, Video>()
  readonly #recorder: Pick<EventSink, 'reserveSpace' | 'record'>
  /** That of the trace. */
  #budget: RecordingBudget | null = null
  #redaction: AuthorizationRedaction | null = null
  #context: BrowserContext | null = null
  #traceStopping: Promise<boolean | null> | null = null
  #isTraceDropped = false
  #isFinishing = false

  constructor(
    kinds: readonly BrowserRecordingKind[],
    process: BrowserProcess,
    targets: TargetRegistry,
    recorder: Pick<EventSink, 'reserveSpace' | 'record'>,
    logger: Logger,
  ) {
    this.#targets = targets
    this.#recorder = recorder
    this.#kinds = new Set(kinds)
    this.#process = process
    this.#logger = logger
    // Playwright needs console messages only for traces, and creates a handle with a random id for each argument, which
    // took as long as recording the line.
    if (!this.#kinds.has('TRACE')) {
      process.connection.withhold('Runtime.consoleAPICalled', (line) => !isPlaywrightSignal(line))
    }
  }

  /** Removes credentials from the recordings. Call before `start`. */
  redact(redaction: AuthorizationRedaction): void {
    this.#redaction = redaction
  }

  /** Videos begin with their context; the others can begin in an existing one. */
  contextOptions({ viewport }: BrowserOptions): BrowserContextOptions {
    if (!this.#kinds.has('VIDEO')) return {}
    const scale = Math.min(1, LONGEST_SIDE / Math.max(viewport.width, viewport.height))
    // The codec requires even sides.
    const even = (side: number) => Math.max(2, 2 * Math.floor((side * scale) / 2))
    const size = { width: even(viewport.width), height: even(viewport.height) }
    return { recordVideo: { dir: this.#process.folders.recordings, size } }
  }

  /** Call before the first page of the context does anything. */
  async start(context: BrowserContext): Promise<void> {
    this.#context = context
    if (this.#kinds.has('VIDEO')) {
      const pages = new PageDirectory(context, this.#targets, this.#process.connection.barrier)
      context.on('page', (page) => this.#watch(page, pages))
      for (const page of context.pages()) this.#watch(page, pages)
    }
    if (this.#kinds.has('TRACE')) {
      this.#budget = new RecordingBudget(this.#recorder.reserveSpace())
      await context.tracing.start({ name: this.#traceName, screenshots: true, snapshots: { dom: true } })
    }
  }

  /** Current size of each; one that has nearly used up its budget is stopped. */
  sized(sizes: FolderSizes): void {
    for (const video of this.#videos.values()) {
      if (video.path === null) continue
      const bytes = sizes.get(`recordings/${basename(video.path)}`) ?? 0
      const grown = bytes - video.bytes
      video.bytes = bytes
      if (video.budget.spends(bytes)) {
        this.#failed(videoFile(video), 'QUOTA_EXCEEDED', video.budget.describe(), true)
      } else if (!video.budget.isSpent || grown <= 0) continue
      this.#stopVideo(video)
    }
    const sum = (isPart: (name: string) => boolean) =>
      [...sizes].reduce((all, [key, bytes]) => all + (isPart(key.replace('recordings/', '')) ? bytes : 0), 0)
    if (this.#budget?.spends(sum((name) => this.#isOfTrace(name)))) {
      void this.#stopTraceEarly()
      this.#failed(TRACE, 'QUOTA_EXCEEDED', this.#budget.describe(), true)
    }
  }

  /**
   * Stops all of them at once, because the temporary folder is full. A trace is dropped: its archive would take as much
   * space again.
   */
  breakOff(why: string): void {
    const code = 'TEMPORARY_FOLDER_FULL'
    for (const video of this.#videos.values()) {
      if (!video.budget.spend()) continue
      // An ffmpeg that ends before it has written anything leaves no video. Until then it takes no space.
      if (video.bytes > 0) this.#stopVideo(video)
      this.#failed(videoFile(video), code, why, true)
    }
    if (this.#budget?.spend()) {
      this.#isTraceDropped = true
      this.#failed(TRACE, code, why, false)
      void this.#stopTraceEarly()
    }
  }

  /**
   * Ends the recordings; the files exist until the browser's directory is removed. `silence` is called before the pages
   * are closed, since no client requested that. Never rejects.
   */
  async finish(deadlineMs: number, silence: () => Promise<void>): Promise<BrowserFile[]> {
    if (this.#kinds.size === 0 || this.#context === null) return []
    this.#isFinishing = true
    const until = performance.now() + deadlineMs
    const left = () => Math.max(100, until - performance.now())
    const files: BrowserFile[] = []
    // Each gets a part of the time, so that one that hangs leaves some for the others.
    if (this.#kinds.has('TRACE') && !this.#isTraceDropped)
      files.push(...(await this.#tried('trace', this.#finishTrace(left))))
    await silence()
    if (this.#kinds.has('VIDEO')) files.push(...(await this.#tried('video', this.#finishVideos(left))))
    return files
  }

  /** Releases open resources, whether or not the recordings were finished. Never rejects. */
  async dispose(): Promise<void> {
    this.#budget?.reservation.release()
    for (const { budget } of this.#videos.values()) budget.reservation.release()
  }

  async #finishTrace(left: () => number): Promise<BrowserFile> {
    const described = { ...TRACE, ...(this.#budget ? { reservation: this.#budget.reservation } : {}) }
    if ((await Deadline.result(this.#stopTrace(), left() / 3)) !== null)
      return { ...described, open: () => openPlainFile(this.#path(TRACE.name)) }
    // Not the same file: Playwright may still be writing it.
    const part = this.#path('trace-part.zip')
    if (!(await Deadline.isMet(this.#archiveTrace(part), left() / 2)))
      throw new Error('timed out before it was archived')
    return { ...described, open: () => openPlainFile(part) }
  }

  /** Null: it could not be stopped, as after a crash. Never rejects. */
  #stopTrace(): Promise<boolean | null> {
    const path = this.#path(TRACE.name)
    const isRedacted = this.#redaction !== null && !this.#isTraceDropped
    this.#traceStopping ??= this.#context!.tracing
      .stop(this.#isTraceDropped ? {} : { path })
      .then(() => (isRedacted ? this.#redactTrace(path) : undefined))
      .then(
        () => true,
        () => null,
      )
    return this.#traceStopping
  }

  /** Playwright does not delete the files it made the archive from. */
  async #redactTrace(path: string): Promise<void> {
    const redacted = this.#path('trace-redacted.zip')
    await this.#archiveTrace(redacted)
    await rename(redacted, path)
  }

  #archiveTrace(path: string): Promise<void> {
    return archiveTrace(this.#process.folders.recordings, this.#traceName, path, this.#redaction)
  }

  /** Before the end of the session: deletes the files that the archive was made from. Never rejects. */
  async #stopTraceEarly(): Promise<void> {
    const isStopped = await this.#stopTrace()
    // At the end, they may be read once more.
    if (isStopped === null || this.#isFinishing) return
    try {
      const names = await readdir(this.#process.folders.recordings)
      for (const name of names.filter((one) => one !== TRACE.name && this.#isOfTrace(one))) {
        await rm(this.#path(name), { recursive: true, force: true })
      }
    } catch (error) {
      this.#logger.warn({ err: error }, 'the parts of a trace could not be removed')
    }
  }

  #isOfTrace(name: string): boolean {
    return name.startsWith(this.#traceName) || name === TRACE.name || TRACE_FOLDERS.includes(name)
  }

  /** Kills one that still grows after it was asked to end. */
  #stopVideo(video: Video): void {
    if (video.path === null) return
    const signal = video.isStopping ? 'SIGKILL' : 'SIGTERM'
    video.isStopping = true
    endFfmpeg(video.path, signal).catch((error: unknown) =>
      this.#logger.error({ err: error }, 'a video that exceeds its limit could not be stopped'),
    )
  }

  #failed(
    { kind, name, pageId }: Omit<BrowserFile, 'open'>,
    code: ArtifactFailureCode,
    message: string,
    partial: boolean,
  ): void {
    this.#recorder.record({
      kind: 'ARTIFACT_FAILED',
      at: Date.now(),
      data: { kind, name, pageId, code, message, partial },
    })
  }

  async #finishVideos(left: () => number): Promise<BrowserFile[]> {
    await Deadline.isMet(
      this.#context!.close().catch(() => undefined),
      left() / 2,
    )
    const files: BrowserFile[] = []
    for (const video of this.#videos.values()) {
      await Deadline.isMet(video.located, left() / 2)
      const { path, budget } = video
      if (path === null || !(await this.#hasSome(path, left))) {
        this.#logger.warn({ path }, 'a video has no data')
        continue
      }
      files.push({ ...videoFile(video), open: () => openPlainFile(path), reservation: budget.reservation })
    }
    return files
  }

  /**
   * Waits for ffmpeg, which ends when there are no more frames: Playwright does not wait for it if a page or the
   * browser closed by itself. A video that is unfinished when the time is up, or whose ffmpeg was killed, is kept as it
   * is.
   */
  async #hasSome(path: string, left: () => number): Promise<boolean> {
    const startedBy = left() - START_MS
    for (let looks = 1; !(await isFinishedWebm(path)); looks += 1) {
      const isTimeUp = left() <= LOOK_AGAIN_MS
      // It may not have started yet: then there is no file.
      const mayBeGone = looks % LOOKS_PER_SEARCH === 0 && (existsSync(path) || left() < startedBy)
      if (isTimeUp || (mayBeGone && !(await isBeingWritten(path)))) {
        return (await isFinishedWebm(path)) || (existsSync(path) && statSync(path).size > 0)
      }
      await pause(LOOK_AGAIN_MS)
    }
    return true
  }

  #watch(page: Page, pages: PageDirectory): void {
    if (this.#videos.has(page)) return
    const video = page.video()
    if (!video) return
    const budget = new RecordingBudget(this.#recorder.reserveSpace())
    const entry: Video = { path: null, pageId: null, located: Promise.resolve(), budget, bytes: 0, isStopping: false }
    this.#videos.set(page, entry)
    // Asked now, because a page that has closed cannot be asked. A video is kept even if its page is unknown.
    const asked = <K extends 'path' | 'pageId'>(key: K, answer: Promise<Video[K]>) =>
      answer.then(
        (value) => {
          entry[key] = value
        },
        (error: unknown) => this.#logger.warn({ err: error }, `the ${key} of a video is unknown`),
      )
    entry.located = asked('path', video.path())
    void asked('pageId', pages.pageIdOf(page))
  }

  async #tried(what: string, finishing: Promise<BrowserFile | BrowserFile[]>): Promise<BrowserFile[]> {
    try {
      return [await finishing].flat()
    } catch (error) {
      this.#logger.error({ err: error }, `the ${what} of a session could not be finished`)
      return []
    }
  }

  #path(name: string): string {
    return join(this.#process.folders.recordings, name)
  }
}

const videoFile = ({ pageId }: Pick<Video, 'pageId'>) =>
  ({ kind: 'VIDEO', name: `${pageId ?? 'page'}.webm`, contentType: 'video/webm', pageId }) as const
