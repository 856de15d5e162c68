import { randomUUID } from 'node:crypto'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { BrowserContext, BrowserContextOptions, Page } from 'playwright'
import type { Logger } from '../../../logger.ts'
import type { RecordingKind } from '../../../ports/artifact.ts'
import type { BrowserFile, BrowserOptions } from '../../../ports/browser.ts'
import type { EntryDraft } from '../../../ports/log-entry.ts'
import { PageDirectory } from '../actions/page-directory.ts'
import type { BrowserProcess } from '../browser-process.ts'
import { within } from '../deadline.ts'
import type { Targets } from '../targets.ts'
import { HarRecording } from './har-recording.ts'
import { archiveTrace } from './trace-part.ts'
import { isFinishedWebm } from './webm.ts'

/** The longer side of a video: more costs most of a core, and people see enough. */
const LONGEST_SIDE = 1280
const LOOK_AGAIN_MS = 100

/** What a session records beside its log: videos of its pages, a trace, a HAR. */
export class Recordings {
  readonly #kinds: ReadonlySet<RecordingKind>
  readonly #process: BrowserProcess
  readonly #logger: Logger
  readonly #traceName = `trace-${randomUUID()}`
  readonly #targets: Targets
  readonly #videos = new Map<Page, { path: string | null; pageId: string | null }>()
  readonly #har: HarRecording | null
  #context: BrowserContext | null = null

  constructor(kinds: readonly RecordingKind[], process: BrowserProcess, targets: Targets, logger: Logger) {
    this.#targets = targets
    this.#kinds = new Set(kinds)
    this.#process = process
    this.#logger = logger
    this.#har = this.#kinds.has('HAR') ? new HarRecording(process.folders.recordings) : null
  }

  /** Videos begin with their context; the others can begin in one that is there already. */
  contextOptions({ viewport }: BrowserOptions): BrowserContextOptions {
    if (!this.#kinds.has('VIDEO')) return {}
    const scale = Math.min(1, LONGEST_SIDE / Math.max(viewport.width, viewport.height))
    // The codec wants even sides.
    const even = (side: number) => Math.max(2, 2 * Math.floor((side * scale) / 2))
    const size = { width: even(viewport.width), height: even(viewport.height) }
    return { recordVideo: { dir: this.#process.folders.recordings, size } }
  }

  /** Call before the first page of the context does anything. */
  async start(context: BrowserContext): Promise<void> {
    this.#context = context
    if (this.#kinds.has('VIDEO')) {
      const pages = new PageDirectory(context, this.#targets)
      context.on('page', (page) => this.#watch(page, pages))
      for (const page of context.pages()) this.#watch(page, pages)
    }
    if (this.#kinds.has('TRACE')) {
      await context.tracing.start({ name: this.#traceName, screenshots: true, snapshots: { dom: true } })
    }
    await this.#har?.start(context)
  }

  /** What is recorded, as it is. */
  note(draft: EntryDraft): void {
    if (draft.kind === 'NETWORK_REQUEST') this.#har?.note(draft.data)
  }

  /**
   * Ends the recordings; the files are there until the browser's directory is removed. `quiet` is called before pages
   * are closed, which nobody asked for. Never rejects.
   */
  async finish(deadlineMs: number, quiet: () => void): Promise<BrowserFile[]> {
    if (this.#kinds.size === 0 || this.#context === null) return []
    const until = performance.now() + deadlineMs
    const left = () => Math.max(100, until - performance.now())
    const files: BrowserFile[] = []
    // A part of the time for each, so that one that hangs leaves the others some.
    if (this.#kinds.has('TRACE')) files.push(...(await this.#tried('trace', this.#finishTrace(left))))
    if (this.#har) files.push(...(await this.#tried('HAR', this.#har.finish(left() / 3))))
    quiet()
    if (this.#kinds.has('VIDEO')) files.push(...(await this.#tried('video', this.#finishVideos(left))))
    return files
  }

  /** Lets go of what is open, whether or not the recordings were finished. Never rejects. */
  async dispose(): Promise<void> {
    await this.#har?.dispose()
  }

  async #finishTrace(left: () => number): Promise<BrowserFile> {
    const described = { kind: 'TRACE', name: 'trace.zip', contentType: 'application/zip', pageId: null } as const
    const whole = this.#path('trace.zip')
    const stopping = this.#context!.tracing.stop({ path: whole }).then(
      () => true,
      () => null,
    )
    if ((await within(stopping, left() / 3)) !== null) return { ...described, path: whole }
    // Not the same file: Playwright may still be at it.
    const part = this.#path('trace-part.zip')
    const archived = archiveTrace(this.#process.folders.recordings, this.#traceName, part).then(() => true)
    if ((await within(archived, left() / 2)) === null) throw new Error('there was no time to archive it')
    return { ...described, path: part }
  }

  async #finishVideos(left: () => number): Promise<BrowserFile[]> {
    await within(
      this.#context!.close().catch(() => undefined),
      left() / 2,
    )
    const files: BrowserFile[] = []
    for (const { path, pageId } of this.#videos.values()) {
      if (path === null || !(await this.#hasSome(path, left))) continue
      files.push({ kind: 'VIDEO', name: `${pageId ?? 'page'}.webm`, contentType: 'video/webm', pageId, path })
    }
    return files
  }

  /**
   * Waits for ffmpeg, which ends when no frames come any more: Playwright does not wait for it where a page or the
   * browser went by itself. A video that it is still at when the time is up is kept as it is.
   */
  async #hasSome(path: string, left: () => number): Promise<boolean> {
    while (!(await isFinishedWebm(path))) {
      if (left() <= LOOK_AGAIN_MS) return existsSync(path) && statSync(path).size > 0
      await pause(LOOK_AGAIN_MS)
    }
    return true
  }

  #watch(page: Page, pages: PageDirectory): void {
    if (this.#videos.has(page)) return
    const video = page.video()
    if (!video) return
    const entry: { path: string | null; pageId: string | null } = { path: null, pageId: null }
    this.#videos.set(page, entry)
    // Now, as a page that has closed can no longer be asked.
    Promise.all([video.path(), pages.pageIdOf(page)]).then(
      ([path, pageId]) => Object.assign(entry, { path, pageId }),
      (error: unknown) => this.#logger.warn({ err: error }, 'where a video lies is not known'),
    )
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
