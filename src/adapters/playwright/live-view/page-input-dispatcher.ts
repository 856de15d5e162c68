import type { Logger } from '../../../logger.ts'
import type { InputEvent, MouseInput } from '../../../contract/input-event.ts'
import type { CdpConnection } from '../cdp/connection/cdp-connection.ts'
import { Deadline } from '../../../async/deadline.ts'
import { Semaphore } from '../../../async/semaphore.ts'
import type { TargetRegistry } from '../cdp/targets/target-registry.ts'
import type { ScreencastPage } from './screencast.ts'
import { Dragging, interceptDrags, type DragData } from './dragging.ts'
import { FIRE_PASTE } from './fire-paste.ts'
import { InputCommands, insertion, type InputCommand } from './input-commands.ts'

/** A page that hangs takes nothing, and what it waits for may never come: how long it may take for one event, … */
const TAKING_MS = 4_000
/** … and for all of a call, however steadily it takes one after the other. */
const WHOLE_MS = 30_000

/** The page did not take all of it in time. */
class NotTaken extends Error {}

/** Is told what comes before it does, for what is typed may be secret. */
export interface TypingWatch {
  typed(pageId: string, text: string): Promise<void>
  moved(pageId: string): void
  inputComes(pageId: string, method: string, params: Readonly<Record<string, unknown>>): Promise<void>
}

/** What people do with one page, over a session of the protocol of its own. */
export class PageInputDispatcher {
  readonly #page: ScreencastPage
  readonly #connection: CdpConnection
  readonly #targets: TargetRegistry
  readonly #typing: TypingWatch
  readonly #logger: Logger
  readonly #commands = new InputCommands()
  readonly #dragging = new Dragging()
  #sessionId: string | null = null
  #session: Promise<string> | null = null
  readonly #turn = new Semaphore(1)

  constructor(
    page: ScreencastPage,
    connection: CdpConnection,
    targets: TargetRegistry,
    typing: TypingWatch,
    logger: Logger,
  ) {
    this.#page = page
    this.#connection = connection
    this.#targets = targets
    this.#typing = typing
    this.#logger = logger
  }

  /** In order, and one call after the other. False: the page did not take all of it in time. Never rejects. */
  async take(events: readonly InputEvent[]): Promise<boolean> {
    using whole = new Deadline(WHOLE_MS, [], () => new NotTaken())
    let leave: (() => void) | null = null
    try {
      leave = await this.#turn.acquire(whole.signal)
      const sessionId = await this.#inTime(whole, (deadline) => deadline.race(this.#attached()))
      for (const event of events) await this.#inTime(whole, (deadline) => this.#takeOne(event, sessionId, deadline))
      return true
    } catch (error) {
      if (error instanceof NotTaken) return false
      // The page, or the browser, is gone: what it was given cannot matter any more.
      this.#logger.debug({ err: error, ...this.#page }, 'a page could not be given input')
      return true
    } finally {
      leave?.()
    }
  }

  /** Each step has a time of its own: a machine that is busy is slow, and half of what was typed would be missing. */
  async #inTime<T>(whole: Deadline, step: (deadline: Deadline) => Promise<T>): Promise<T> {
    using deadline = new Deadline(TAKING_MS, [whole.signal], () => new NotTaken())
    return await step(deadline)
  }

  async #takeOne(event: InputEvent, sessionId: string, deadline: Deadline): Promise<void> {
    if (event.kind === 'text') return this.#type(event, sessionId, deadline)
    await this.#announce(event)
    if (event.kind === 'paste') await this.#paste(event.text, sessionId, deadline)
    else if (event.kind === 'mouse') await this.#move(event, sessionId, deadline)
    else if (event.kind === 'key' && event.key === 'Escape' && this.#dragging.isOn) {
      await this.#give(this.#dragging.cancel(), sessionId, deadline)
    } else await this.#give(this.#commands.of(event), sessionId, deadline)
  }

  async #announce(event: Exclude<InputEvent, { kind: 'text' }>): Promise<void> {
    const { pageId } = this.#page
    if (event.kind === 'paste') return this.#typing.typed(pageId, event.text)
    if (event.kind === 'key') {
      for (const { method, params } of this.#commands.of(event)) {
        await this.#typing.inputComes(pageId, method, { ...params })
      }
    } else if (
      (event.kind === 'mouse' && event.type === 'DOWN') ||
      (event.kind === 'touch' && event.type === 'START')
    ) {
      this.#typing.moved(pageId)
    }
  }

  /** What follows a line break or a tab may go into another field. */
  async #type(event: Extract<InputEvent, { kind: 'text' }>, sessionId: string, deadline: Deadline): Promise<void> {
    const { pageId } = this.#page
    for (const text of event.text.split(/(?<=\r\n|\r(?!\n)|[\n\t])/)) {
      const typed = text.replace(/[\r\n\t]+$/, '')
      await deadline.race(this.#typing.typed(pageId, typed))
      if (typed !== text) this.#typing.moved(pageId)
      await this.#give(this.#commands.of({ ...event, text }), sessionId, deadline)
    }
  }

  /** The page was about to let something be dragged, in a session of the protocol. */
  dragBegan(data: DragData, sessionId: string | undefined): void {
    if (sessionId === this.#sessionId) this.#dragging.begin(data)
  }

  async #move(event: MouseInput, sessionId: string, deadline: Deadline): Promise<void> {
    const commands = this.#commands.of(event)
    // Where the button goes down again, it had come up unseen.
    if (this.#dragging.isOn && event.type === 'DOWN' && event.button === 'LEFT') {
      await this.#give(this.#dragging.cancel(), sessionId, deadline)
    }
    if (this.#dragging.isOn) return this.#give(this.#dragging.of(event), sessionId, deadline)
    if (event.type !== 'MOVE' || !this.#commands.holds('LEFT')) return this.#give(commands, sessionId, deadline)
    // No longer than for the move: clients drag on the same page, each in its own way.
    await this.#give([interceptDrags(true)], sessionId, deadline)
    try {
      await this.#give(commands, sessionId, deadline)
      // That a drag begins may be told after the move was answered, but not after the page was heard once more.
      if (!this.#dragging.isOn)
        await deadline.race(this.#connection.send('Runtime.evaluate', { expression: '0' }, sessionId))
    } finally {
      const { method, params } = interceptDrags(false)
      this.#connection.notify(method, params, sessionId)
    }
    if (this.#dragging.isOn) await this.#give(this.#dragging.over(event), sessionId, deadline)
  }

  async #give(commands: readonly InputCommand[], sessionId: string, deadline: Deadline): Promise<void> {
    let unanswered: Promise<void>[] = []
    for (const [index, command] of commands.entries()) {
      unanswered.push(this.#send(command, sessionId))
      if (command.run !== undefined && command.run === commands[index + 1]?.run) continue
      await deadline.race(Promise.all(unanswered))
      unanswered = []
    }
  }

  /** What the browser refuses has lost its sense: fingers that move on a page that came after the one they touched. */
  async #send({ method, params }: InputCommand, sessionId: string): Promise<void> {
    try {
      await this.#connection.send(method, params, sessionId)
    } catch (error) {
      this.#logger.debug({ err: error, method, ...this.#page }, 'input was refused')
    }
  }

  /** A page that handles the event itself prevents what would follow it. */
  async #paste(text: string, sessionId: string, deadline: Deadline): Promise<void> {
    const expression = `(${FIRE_PASTE})(${JSON.stringify(text)})`
    const evaluating = this.#connection.send('Runtime.evaluate', { expression }, sessionId)
    const { result } = await deadline.race(evaluating)
    if (result.value !== false) await this.#give([insertion(text)], sessionId, deadline)
  }

  #attached(): Promise<string> {
    this.#session ??= this.#attach().catch((error: unknown) => {
      this.#session = null
      throw error
    })
    return this.#session
  }

  async #attach(): Promise<string> {
    const given = { targetId: this.#page.targetId, flatten: true }
    const own = this.#targets.ownSessionId
    const { sessionId } = await this.#connection.send('Target.attachToTarget', given, own)
    this.#sessionId = sessionId
    return sessionId
  }
}
