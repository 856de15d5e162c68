import { setImmediate as nextTurn } from 'node:timers/promises'
import type { BrowserProcess } from '../launch/browser-process.ts'
import { Deadline } from '../../../async/deadline.ts'
import { TargetGone } from '../cdp/protocol/target-gone.ts'
import type { RecorderSet } from '../recorders/recorder-set.ts'
import { isWorker, type TargetRegistry } from '../cdp/targets/target-registry.ts'

/** Share of the deadline after which scripts that keep their targets from responding are terminated. */
const INTERRUPT_SHARE = 0.25
/**
 * The same after a page was held: it still has work to do that others did meanwhile, which does not make it
 * unresponsive.
 */
const INTERRUPT_SHARE_AFTER_HOLD = 0.75
/** Time to read bytes that have arrived already. */
const READ_MS = 250

/**
 * Checks whether a session's browser has delivered all events of its pages before the end. A target responds to a
 * command after all its earlier events, in order, so the response of a target proves that nothing is missing. Nothing
 * is known about one that does not respond: an unresponsive page may have network events that wait for the end of its
 * script, and one that logs 100 MB sends nothing while it does (measured: it looks like `while (true) {}`).
 *
 * A blocking script is terminated, so that its target can respond (measured: within 10 ms of `while (true) {}`, 1.5 s
 * after a flood of 30,000 lines; during a flood from within one script it does not respond at all). Its activity at
 * that moment is lost (measured: of a line of 20 MB no trace is left), so nothing is known about such a target, either.
 * It is terminated only if its target responds to a second command, which interrupts scripts, before the first: then it
 * really blocks, rather than being slow.
 */
export class FinalMessages {
  readonly #process: BrowserProcess
  readonly #targets: TargetRegistry
  readonly #recording: RecorderSet
  readonly #asked = new Set<string>()
  readonly #silent = new Set<string>()
  /** Sessions whose scripts were terminated before a response. */
  readonly #interrupted = new Set<string>()
  #answering: Promise<unknown>[] = []
  #isInterrupting = false
  #isGone = false
  #isKnown = false

  constructor(process: BrowserProcess, targets: TargetRegistry, recording: RecorderSet) {
    this.#process = process
    this.#targets = targets
    this.#recording = recording
    process.connection.onClose(() => (this.#isGone = true))
  }

  /** Asks all targets, and the browser itself. With 0, none is asked and nothing is known. */
  async collect(deadlineMs: number): Promise<void> {
    this.#isKnown = deadlineMs > 0
    if (deadlineMs === 0) return
    this.#process.connection.hurry()
    // A page whose popup is held does not respond, and its scripts are not the cause.
    const { barrier } = this.#process.connection
    const wasHeld = barrier.whenResumed() !== null
    barrier.open()
    using deadline = new Deadline(deadlineMs)
    if (await this.#allAnswer(deadlineMs * (wasHeld ? INTERRUPT_SHARE_AFTER_HOLD : INTERRUPT_SHARE))) return
    this.#isInterrupting = true
    for (const sessionId of this.#silent) this.#interrupt(sessionId)
    await this.#allAnswer(deadline.remainingMs)
  }

  /**
   * Ends the recording, after `collect`: from now on pages run no scripts of their own (except continuations after an
   * `await`), and their events up to then are processed. If something is missing already, no target is asked again.
   */
  async silence(deadlineMs: number): Promise<void> {
    using deadline = new Deadline(deadlineMs)
    if (this.#isKnown && this.#silent.size === 0 && this.#interrupted.size === 0 && deadlineMs > 0) {
      this.#asked.clear()
      for (const sessionId of this.#everyone()) this.#disableScripts(sessionId)
      await this.#allAnswer(deadlineMs)
    }
    await this.#recording.finishBodies(deadline.remainingMs)
    this.#recording.stop()
  }

  /**
   * Since when entries may be missing because the browser did not deliver them; null: none are. Once the pipe of the
   * browser has closed, this includes events after the recorders had stopped.
   */
  missingSince(): number | null {
    const isMissing = !this.#isKnown || this.#silent.size > 0 || this.#interrupted.size > 0
    const receivedAt = isMissing ? this.#recording.receivedAt(this.#silentPages()) : null
    const { lateSince } = this.#recording
    if (receivedAt === null || lateSince === null) return receivedAt ?? lateSince
    return Math.min(receivedAt, lateSince)
  }

  /** False: some did not, or new ones kept coming. */
  async #allAnswer(milliseconds: number): Promise<boolean> {
    using deadline = new Deadline(milliseconds)
    for (;;) {
      this.#askNew()
      const answers = Promise.all(this.#answering)
      if (!(await deadline.isMet(answers))) {
        await this.#readArrived()
        if (this.#silent.size > 0) return false
      }
      this.#answering = []
      // Targets that were opened meanwhile may have sent events as well.
      if (this.#everyone().every((sessionId) => this.#asked.has(sessionId))) return this.#silent.size === 0
    }
  }

  /** If the server itself was suspended, the deadline passes before it has read events that arrived in time. */
  async #readArrived(): Promise<void> {
    await nextTurn()
    await Deadline.isMet(this.#process.connection.caughtUp(), READ_MS)
  }

  #disableScripts(sessionId: string): void {
    const source = this.#targets.source(sessionId)
    if (!source || isWorker(source)) return
    this.#process.connection.notify('Emulation.setScriptExecutionDisabled', { value: true }, sessionId)
  }

  #interrupt(sessionId: string): void {
    const { connection } = this.#process
    // Scripts run in pages and workers.
    if (sessionId === this.#targets.ownSessionId) return
    const answered = () => {
      if (!this.#silent.has(sessionId)) return
      this.#interrupted.add(sessionId)
      connection.notify('Runtime.terminateExecution', {}, sessionId)
    }
    // Workers do not support it, and respond at once, too.
    const refused = (error: unknown) => {
      if (!(error instanceof TargetGone)) answered()
    }
    void connection.send('Performance.getMetrics', {}, sessionId).then(answered, refused)
  }

  #askNew(): void {
    for (const sessionId of this.#everyone()) {
      if (this.#asked.has(sessionId)) continue
      this.#asked.add(sessionId)
      this.#silent.add(sessionId)
      // Events before a late response were not recorded.
      const responded = () => {
        if (!this.#isGone && !this.#recording.isStopped) this.#silent.delete(sessionId)
      }
      // An error is a response as well, and a target that is gone had sent all its events before. Exceptions: a broken
      // pipe, and the end of a target that did not respond in time, since we end it in the midst of its events.
      const failed = (error: unknown) => {
        if (!this.#isInterrupting || !(error instanceof TargetGone)) responded()
      }
      this.#answering.push(this.#ask(sessionId).then(responded, failed))
    }
  }

  /** The response comes between scripts. */
  #ask(sessionId: string): Promise<unknown> {
    const { connection } = this.#process
    if (sessionId === this.#targets.ownSessionId) return connection.send('Browser.getVersion', {}, sessionId)
    const source = this.#targets.source(sessionId)
    // Workers respond to most commands in the midst of their scripts, but not to this one; pages with a dialog do not
    // respond to it.
    return source && isWorker(source)
      ? connection.send('Runtime.evaluate', { expression: '0', silent: true }, sessionId)
      : connection.send('Runtime.getHeapUsage', {}, sessionId)
  }

  #everyone(): string[] {
    return [this.#targets.ownSessionId, ...this.#targets.sessionIds()]
  }

  /** Null: all of them, because the browser itself does not respond. */
  #silentPages(): Set<string | null> | null {
    if (!this.#isKnown || this.#silent.has(this.#targets.ownSessionId)) return null
    const missing = [...this.#silent, ...this.#interrupted]
    return new Set(missing.map((sessionId) => this.#targets.source(sessionId)?.page?.pageId ?? null))
  }
}
