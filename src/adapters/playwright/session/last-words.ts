import { setImmediate as nextTurn } from 'node:timers/promises'
import type { BrowserProcess } from '../launch/browser-process.ts'
import { Deadline } from '../../../async/deadline.ts'
import { TargetGone } from '../cdp/protocol/target-gone.ts'
import type { RecorderSet } from '../recorders/recorder-set.ts'
import { isWorker, type TargetRegistry } from '../cdp/targets/target-registry.ts'

/** Of the deadline: after it, scripts that keep their targets from answering are ended. */
const INTERRUPT_SHARE = 0.25
/** The same where a page was held until now: it has yet to do what others did meanwhile, and is not hanging for that. */
const INTERRUPT_SHARE_AFTER_HOLD = 0.75
/** To read what has come already. */
const READ_MS = 250

/**
 * Finds out whether a session's browser has handed over all that its pages had said before the end. A target answers a
 * question after everything that it said before, in order, so one that answers owes nothing. Of one that does not
 * answer nothing is known: a page that hangs may have network events that wait for the end of its script, one that logs
 * 100 MB says nothing while it does (measured: it looks like `while (true) {}`).
 *
 * A script that hangs is ended, which lets its target answer (measured: within 10 ms of `while (true) {}`, 1.5 s after a
 * flood of 30,000 lines; a flood from within one script does not answer at all). What it did at that moment is lost
 * (measured: of a line of 20 MB no trace is left), so of such a target nothing is known, either. It is ended only where
 * it answers a second question, which interrupts scripts, before the first: then it does hang, and is not only slow.
 */
export class LastWords {
  readonly #process: BrowserProcess
  readonly #targets: TargetRegistry
  readonly #recording: RecorderSet
  readonly #asked = new Set<string>()
  readonly #silent = new Set<string>()
  /** Whose scripts were ended before they had answered. */
  readonly #interrupted = new Set<string>()
  #answering: Promise<unknown>[] = []
  #isInterrupting = false
  #isGone = false
  #isKnown = false

  constructor(process: BrowserProcess, targets: TargetRegistry, recording: RecorderSet) {
    this.#process = process
    this.#targets = targets
    this.#recording = recording
    process.wire.onClose(() => (this.#isGone = true))
  }

  /** Asks everyone who may speak, and the browser itself. With 0, nobody is asked and nothing is known. */
  async hear(deadlineMs: number): Promise<void> {
    this.#isKnown = deadlineMs > 0
    if (deadlineMs === 0) return
    this.#process.wire.hurry()
    // A page whose popup is held says nothing, and no script of it is to blame.
    const { barrier } = this.#process.wire
    const wasHeld = barrier.whenFree() !== null
    barrier.open()
    using deadline = new Deadline(deadlineMs)
    if (await this.#allAnswer(deadlineMs * (wasHeld ? INTERRUPT_SHARE_AFTER_HOLD : INTERRUPT_SHARE))) return
    this.#isInterrupting = true
    for (const sessionId of this.#silent) this.#interrupt(sessionId)
    await this.#allAnswer(deadline.remainingMs)
  }

  /**
   * Ends what is recorded, after `hear`: pages run no scripts of theirs from now on (but what goes on after an `await`),
   * and what they had said by then is heard. Where something is missing already, nothing is asked again.
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
   * Since when entries may be missing because the browser did not hand them over; null: none are. Once the pipe of the
   * browser has closed, this counts what was said after the recorders had stopped, too.
   */
  unheardSince(): number | null {
    const isUnheard = !this.#isKnown || this.#silent.size > 0 || this.#interrupted.size > 0
    const heardAt = isUnheard ? this.#recording.heardAt(this.#silentPages()) : null
    const { lateSince } = this.#recording
    if (heardAt === null || lateSince === null) return heardAt ?? lateSince
    return Math.min(heardAt, lateSince)
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
      // What one of them opened meanwhile may have spoken as well.
      if (this.#everyone().every((sessionId) => this.#asked.has(sessionId))) return this.#silent.size === 0
    }
  }

  /** Where the server itself stood still, the time is up before it has looked at what had come in time. */
  async #readArrived(): Promise<void> {
    await nextTurn()
    await Deadline.isMet(this.#process.wire.caughtUp(), READ_MS)
  }

  #disableScripts(sessionId: string): void {
    const speaker = this.#targets.speaker(sessionId)
    if (!speaker || isWorker(speaker)) return
    this.#process.wire.tell('Emulation.setScriptExecutionDisabled', { value: true }, sessionId)
  }

  #interrupt(sessionId: string): void {
    const { wire } = this.#process
    // Scripts run in pages and workers.
    if (sessionId === this.#targets.ownSessionId) return
    const answered = () => {
      if (!this.#silent.has(sessionId)) return
      this.#interrupted.add(sessionId)
      wire.tell('Runtime.terminateExecution', {}, sessionId)
    }
    // Workers do not know it, and say so at once, too.
    const refused = (error: unknown) => {
      if (!(error instanceof TargetGone)) answered()
    }
    void wire.send('Performance.getMetrics', {}, sessionId).then(answered, refused)
  }

  #askNew(): void {
    for (const sessionId of this.#everyone()) {
      if (this.#asked.has(sessionId)) continue
      this.#asked.add(sessionId)
      this.#silent.add(sessionId)
      // What was said before an answer that comes later was not recorded.
      const heard = () => {
        if (!this.#isGone && !this.#recording.isStopped) this.#silent.delete(sessionId)
      }
      // An error is an answer as well, and a target that is gone had told everything before; but neither a broken pipe
      // nor the end of a target that did not answer in time: it is us who end it in the midst of what it says.
      const failed = (error: unknown) => {
        if (!this.#isInterrupting || !(error instanceof TargetGone)) heard()
      }
      this.#answering.push(this.#ask(sessionId).then(heard, failed))
    }
  }

  /** Answered between scripts. */
  #ask(sessionId: string): Promise<unknown> {
    const { wire } = this.#process
    if (sessionId === this.#targets.ownSessionId) return wire.send('Browser.getVersion', {}, sessionId)
    const speaker = this.#targets.speaker(sessionId)
    // Workers answer most questions in the midst of their scripts, but not this one; pages with a dialog do not answer it.
    return speaker && isWorker(speaker)
      ? wire.send('Runtime.evaluate', { expression: '0', silent: true }, sessionId)
      : wire.send('Runtime.getHeapUsage', {}, sessionId)
  }

  #everyone(): string[] {
    return [this.#targets.ownSessionId, ...this.#targets.sessionIds()]
  }

  /** Null: all of them, for the browser itself is silent. */
  #silentPages(): Set<string | null> | null {
    if (!this.#isKnown || this.#silent.has(this.#targets.ownSessionId)) return null
    const unheard = [...this.#silent, ...this.#interrupted]
    return new Set(unheard.map((sessionId) => this.#targets.speaker(sessionId)?.page?.pageId ?? null))
  }
}
