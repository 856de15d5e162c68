import type { BrowserProcess } from './browser-process.ts'
import { within } from './deadline.ts'
import type { Recording } from './recording.ts'
import type { Targets } from './targets.ts'

/** Of the deadline: after it, scripts that keep their targets from answering are ended. */
const INTERRUPT_SHARE = 0.25

/**
 * Finds out whether a session's browser has handed over all that its pages had said before the end. A target answers a
 * question after everything that it said before, in order, so one that answers owes nothing. Of one that does not
 * answer nothing is known: a page that hangs may have network events that wait for the end of its script, one that logs
 * 100 MB says nothing while it does (measured: it looks like `while (true) {}`).
 *
 * A script that hangs is ended, which costs nothing now and lets its target answer (measured: within 10 ms of
 * `while (true) {}`, 1.5 s after a flood of 30,000 lines; a flood from within one script does not answer at all).
 */
export class LastWords {
  readonly #process: BrowserProcess
  readonly #targets: Targets
  readonly #recording: Recording
  readonly #asked = new Set<string>()
  readonly #silent = new Set<string>()
  #answering: Promise<unknown>[] = []
  #isGone = false
  #isKnown = false

  constructor(process: BrowserProcess, targets: Targets, recording: Recording) {
    this.#process = process
    this.#targets = targets
    this.#recording = recording
    process.wire.onClose(() => (this.#isGone = true))
  }

  /** Asks everyone who may speak, and the browser itself. With 0, nobody is asked and nothing is known. */
  async hear(deadlineMs: number): Promise<void> {
    this.#isKnown = deadlineMs > 0
    if (deadlineMs === 0) return
    // A page whose popup is held says nothing, and no script of it is to blame.
    this.#process.wire.barrier.open()
    const until = performance.now() + deadlineMs
    if (await this.#allAnswer(deadlineMs * INTERRUPT_SHARE)) return
    for (const sessionId of this.#silent) this.#process.wire.tell('Runtime.terminateExecution', {}, sessionId)
    await this.#allAnswer(until - performance.now())
  }

  /**
   * Since when entries may be missing because the browser did not hand them over; null: none are. Once the pipe of the
   * browser has closed, this counts what was said after the recorders had stopped, too.
   */
  unheardSince(): number | null {
    const isUnheard = !this.#isKnown || this.#silent.size > 0
    const heardAt = isUnheard ? this.#recording.heardAt(this.#silentPages()) : null
    const { lateSince } = this.#recording
    if (heardAt === null || lateSince === null) return heardAt ?? lateSince
    return Math.min(heardAt, lateSince)
  }

  /** False: some did not, or new ones kept coming. */
  async #allAnswer(milliseconds: number): Promise<boolean> {
    const until = performance.now() + milliseconds
    for (;;) {
      this.#askNew()
      if ((await within(Promise.all(this.#answering), Math.max(0, until - performance.now()))) === null) return false
      this.#answering = []
      // What one of them opened meanwhile may have spoken as well.
      if (this.#everyone().every((sessionId) => this.#asked.has(sessionId))) return this.#silent.size === 0
    }
  }

  #askNew(): void {
    const { wire } = this.#process
    for (const sessionId of this.#everyone()) {
      if (this.#asked.has(sessionId)) continue
      this.#asked.add(sessionId)
      this.#silent.add(sessionId)
      const method = sessionId === this.#targets.ownSessionId ? 'Browser.getVersion' : 'Runtime.getHeapUsage'
      // An error is an answer as well, and a target that is gone had told everything before; but not a broken pipe.
      const heard = () => {
        if (!this.#isGone) this.#silent.delete(sessionId)
      }
      this.#answering.push(wire.send(method, {}, sessionId).then(heard, heard))
    }
  }

  #everyone(): string[] {
    return [this.#targets.ownSessionId, ...this.#targets.sessionIds()]
  }

  /** Null: all of them, for the browser itself is silent. */
  #silentPages(): Set<string | null> | null {
    if (!this.#isKnown || this.#silent.has(this.#targets.ownSessionId)) return null
    return new Set([...this.#silent].map((sessionId) => this.#targets.speaker(sessionId)?.page?.pageId ?? null))
  }
}
