import { CDP_CLOSE } from '../../../contract/cdp-close-codes.ts'
import type { CdpAttachment, CdpClient, CdpClientHost } from '../../../ports/browser/cdp-client.ts'
import type { CdpEvents } from '../cdp/protocol/cdp-events.ts'
import { Deadline } from '../../../async/deadline.ts'
import type { SecretTyping } from '../actions/site/secret-typing.ts'
import { FlowControl, type Unanswered } from './flow-control.ts'
import { heedGuard, type HeededGuard } from './blocked-act.ts'
import { outcomeIn } from './command-outcome.ts'
import { ClientActionRecorder, type ClientLoads, type Outcome } from './client-action-recorder.ts'
import type { Asked, ClientCommand, NoCommand } from './client-command.ts'
import { CommandInbox } from './command-inbox.ts'
import { ClientView, type Verdict, type SharedBrowser } from './client-view.ts'
import { DebuggerWatchdog } from './debugger-watchdog.ts'
import { RUN } from '../cdp/barrier/release-barrier.ts'
import type { Tenant, TenantResponse } from '../cdp/connection/tenant.ts'
import { mayBeSkipped, tooLarge, type TooLarge } from '../cdp/pipe/oversized-message.ts'
import { startsWith, type MessageEnds } from '../cdp/pipe/message-text.ts'
import { isPageInput } from './page-input.ts'
import { PausedRequests } from './paused-requests.ts'
import { CALL_FUNCTION, exceptionOf } from './script-exception.ts'

/** What a client may leave unread; a single answer may be larger, for it is sent whole. */
const MAX_UNSENT_BYTES = 64 * 1024 * 1024
/** Sessions of one client: each takes memory here, and is sent events of its own. */
const MAX_SESSIONS = 10_000
/** Far more than the domain has. */
const MAX_EMULATED = 500
const DETACH_MS = 1_000
const TOO_LONG = 'the command is longer than what the browser reads'

const SERVER_ERROR = -32_000
const NO_SUCH_SESSION = -32_001

/** Codes of the WebSocket protocol. */
const MESSAGE_TOO_BIG = 1009
const INTERNAL_ERROR = 1011

interface ChildSession {
  targetId: string
  browserContextId: string | null
  type: string
  parentId: string | null
}

interface RelayBrowser extends SharedBrowser {
  guard: HeededGuard
  loads: ClientLoads
  /** The client has the browser send a pending request, by its id in the Network domain, to this URL instead. */
  rewritten(requestId: string, url: string): void
  /** The client did something on a page that may open a dialog; null: the page is not known. */
  acted(pageId: string | null): void
  typing: Pick<SecretTyping, 'inputComes'>
}

/**
 * One client on the connection of a session's browser. It has a session of its own with the browser, which it
 * takes for the browser's connection: the relay adds its id to commands and takes it off answers. Messages to the client
 * are neither parsed nor copied, but for those that tell of sessions; those from it are read, judged and numbered anew.
 */
export class ClientRelay implements CdpAttachment, Tenant {
  readonly #browser: RelayBrowser
  readonly #rootId: string
  readonly #client: CdpClient
  readonly #host: CdpClientHost
  readonly #acts: ClientActionRecorder
  readonly #view: ClientView
  readonly #held: DebuggerWatchdog
  readonly #children = new Map<string, ChildSession>()
  readonly #paused = new PausedRequests()
  readonly #flowControl = new FlowControl(
    () => this.#regulate(),
    (isUnderWay) => this.#host.underWay(isUnderWay),
  )
  readonly #inbox = new CommandInbox({
    congestion: () => this.#browser.connection.congestion(),
    take: (command) => this.#take(command),
    changed: () => this.#regulate(),
    failed: (error) => this.#failed(error, 'a command of a client could not be handed to the browser'),
  })
  /** Commands by which the client set what Playwright may have set before. */
  readonly #emulated = new Set<string>()
  #isCongested = false
  #isCutOff = false
  #detaching: Promise<void> | null = null

  private constructor(browser: RelayBrowser, rootId: string, client: CdpClient, host: CdpClientHost) {
    this.#browser = browser
    this.#rootId = rootId
    this.#client = client
    this.#host = host
    this.#acts = new ClientActionRecorder((act) => host.acted(act))
    this.#view = new ClientView(browser, host, rootId, client)
    this.#held = new DebuggerWatchdog((heldId) => {
      browser.logger.info('a client held up a new page, frame or worker for too long: it was resumed')
      browser.connection.notify(RUN, {}, heldId)
    })
  }

  /** Rejects when the browser is gone. */
  static async attach(browser: RelayBrowser, client: CdpClient, host: CdpClientHost): Promise<ClientRelay> {
    const { sessionId } = await browser.connection.send('Target.attachToBrowserTarget')
    const relay = new ClientRelay(browser, sessionId, client, host)
    browser.connection.host(sessionId, relay)
    browser.connection.barrier.enter(relay, sessionId)
    return relay
  }

  receive(message: readonly Uint8Array[]): void | Promise<void> {
    return this.#inbox.receive(message.map((piece) => Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)))
  }

  #take(command: ClientCommand | NoCommand): void | Promise<void> {
    if (!('method' in command)) {
      const { id, ...error } = command
      return this.#send([encode({ ...(id === null ? {} : { id }), error })])
    }
    this.#host.commanded()
    const { method, params, sessionId } = command
    const child = sessionId === null ? null : this.#children.get(sessionId)
    if (child === undefined) {
      return this.#fail(command, NO_SUCH_SESSION, 'Session with given id not found.')
    }
    if (method === 'Browser.close') {
      // The browser is the session's: whoever closes it, leaves.
      this.#answer(command, { result: {} })
      return this.#client.close(1000, 'closed by the client')
    }
    const actedOn = this.#actedOn(command)
    const loading = this.#browser.loads.begin(method, params, actedOn)
    const outcome =
      loading ?? heedGuard(this.#acts.begin(method, params, actedOn), this.#browser.guard, actedOn, command)
    const verdict = this.#view.judge(command, child)
    const execute = (settled: Verdict) => this.#execute(command, actedOn, outcome, settled)
    return verdict instanceof Promise ? verdict.then(execute) : execute(verdict)
  }

  #execute(command: ClientCommand, actedOn: string | null, outcome: Outcome | null, verdict: Verdict): void {
    const { id, method, sessionId, body } = command
    if ('result' in verdict) return this.#answer(command, verdict)
    if ('refusal' in verdict) {
      outcome?.refused(verdict.refusal)
      return this.#fail(command, SERVER_ERROR, `${method} is not served: ${verdict.refusal}`)
    }
    if ('error' in verdict) {
      outcome?.answered(verdict.error.message)
      return this.#answer(command, verdict)
    }
    // It may have been waited for.
    if (this.#detaching || (sessionId !== null && !this.#children.has(sessionId))) return outcome?.disconnected()
    if (method.startsWith('Emulation.') && this.#emulated.size < MAX_EMULATED) this.#emulated.add(method)
    if (method === RUN && sessionId !== null) this.#held.forget(sessionId)
    if (isPageInput(method)) this.#browser.acted(actedOn)
    if (method.startsWith('Input.')) void this.#browser.typing.inputComes(actedOn, method, command.params)
    this.#noteInFront(command)
    const rewritten = this.#paused.rewrittenBy(command)
    if (rewritten) this.#browser.rewritten(rewritten.requestId, rewritten.url)
    const asked = { id, method, sessionId }
    const { unanswered, answer, began } = this.#expect(asked, verdict.send.sessionId, outcome)
    this.#flowControl.add(unanswered)
    const { connection } = this.#browser
    const done = () => {
      this.#flowControl.remove(unanswered)
      this.#answer(asked, { result: {} })
    }
    // It has no parameters, and may be kept until others release the target.
    const sent = method === RUN ? { ...verdict.send, params: {} } : { ...verdict.send, body }
    connection.barrier.pass(sent, () => began(connection.relay(sent, answer)), done)
    if (this.#flowControl.isHopeless) this.#client.close(CDP_CLOSE.tooSlow, 'too many commands are without an answer')
    this.#watchCongestion()
  }

  /** Does not have the command itself: its parameters may be large, and the browser may never answer. */
  #expect(asked: Asked, sentOn: string, outcome: Outcome | null) {
    let forget: () => void = () => undefined
    const unanswered: Unanswered = {
      sessionId: asked.sessionId,
      sessionEnded: () => {
        forget()
        outcome?.pageClosed()
      },
      disconnected: () => {
        forget()
        outcome?.disconnected()
      },
    }
    const answer: TenantResponse = {
      answered: (message, ends) => {
        this.#flowControl.remove(unanswered)
        this.#browser.connection.barrier.answered(asked.method, sentOn)
        this.#guarded(() => this.#answered(asked, outcome, message, ends))
      },
      tooLarge: (why) => {
        this.#flowControl.remove(unanswered)
        outcome?.answered(null)
        this.#failTooLarge(asked, why)
      },
    }
    /** `sending`: how to want the answer no more; null: the command was too long to be sent. */
    const began = (sending: (() => void) | null) => {
      if (sending) {
        forget = sending
        return
      }
      this.#flowControl.remove(unanswered)
      outcome?.answered(TOO_LONG)
      this.#failTooLarge(asked, TOO_LONG)
    }
    return { unanswered, answer, began }
  }

  /** Of the session that stands for the browser, or of one below it. */
  event(message: Buffer, ends: MessageEnds): void {
    const isRoot = ends.sessionId === this.#rootId
    this.#guarded(() => {
      if (startsWith(message, '{"method":"Target.')) this.#followSessions(message, ends.sessionId)
      this.#paused.received(message, ends, isRoot)
      if (isRoot) return this.#sendEvent(message, [message.subarray(0, ends.beforeSession), CLOSING])
      const child = ends.sessionId === null ? undefined : this.#children.get(ends.sessionId)
      if (child && this.#view.hides(message, ends.sessionId!, child.targetId)) return
      this.#send([message])
    })
  }

  /** An event of the browser itself, without its session. */
  #sendEvent(message: Buffer, pieces: readonly Uint8Array[]): void {
    const event = startsWith(message, '{"method":"Browser.') ? this.#view.translated(Buffer.concat(pieces)) : null
    if (event instanceof Promise) void event.then((settled) => this.#send([encode(settled)]))
    else this.#send(event ? [encode(event)] : pieces)
  }

  /** Lines and requests are in the log of the session; without any other event the client would know what is not so. */
  eventTooLarge({ method, head, bytes }: TooLarge): void {
    if (method !== null && mayBeSkipped(method)) return
    const [, childId] = /^\{"method":"Target\.attachedToTarget","params":\{"sessionId":"(\w{1,64})"/.exec(head) ?? []
    // Until it is detached, what the client had set up may speak: that is for no other ear.
    if (childId !== undefined)
      this.#adopt(childId, { targetId: '', browserContextId: null, type: 'other', parentId: null })
    this.#client.close(MESSAGE_TOO_BIG, tooLarge(`The browser's ${method ?? ''} event`, bytes))
  }

  detach(): Promise<void> {
    this.#detaching ??= this.#detach()
    return this.#detaching
  }

  async #detach(): Promise<void> {
    const { connection, targets } = this.#browser
    connection.barrier.leave(this, this.#rootId)
    this.#inbox.close()
    this.#acts.flush()
    this.#held.dispose()
    this.#flowControl.clear()
    // Until it has answered, however late, it may still speak of what the client had: that is for no other ear.
    const detached = connection.send('Target.detachFromTarget', { sessionId: this.#rootId }).catch(() => undefined)
    const forgotten = detached.then(() => {
      for (const sessionId of [this.#rootId, ...this.#children.keys()]) connection.unhost(sessionId)
      this.#children.clear()
    })
    await Deadline.isMet(forgotten, DETACH_MS)
    this.#view.release()
    for (const sessionId of targets.sessionIds()) connection.emulateAgain(sessionId, this.#emulated)
  }

  #answered(asked: Asked, outcome: Outcome | null, message: Buffer, ends: MessageEnds): void {
    const { id, method, sessionId } = asked
    if (outcome) {
      const { failure, targetId, resource } = outcomeIn(message)
      outcome.answered(failure, targetId, resource)
    }
    if (method === 'Target.getBrowserContexts') {
      const { result, error } = JSON.parse(message.toString()) as { result?: Record<string, unknown>; error?: object }
      return this.#answer(asked, result ? { result: this.#view.contexts(result) } : { error })
    }
    const head = Buffer.from(`{"id":${id},`)
    if (sessionId !== null && ends.sessionId !== null) return this.#send([head, message.subarray(ends.afterId)])
    this.#send([head, message.subarray(ends.afterId, ends.beforeSession), CLOSING])
  }

  #followSessions(message: Buffer, parentId: string | null): void {
    if (startsWith(message, '{"method":"Target.attachedToTarget"')) {
      const { params } = JSON.parse(message.toString()) as { params: CdpEvents['Target.attachedToTarget'] }
      const { targetId, type, browserContextId = null } = params.targetInfo
      const above = parentId === this.#rootId ? null : parentId
      this.#adopt(params.sessionId, { targetId, browserContextId, type, parentId: above })
      if (this.#detaching) return
      const { barrier } = this.#browser.connection
      barrier.attached(params, parentId ?? undefined)
      if (params.waitingForDebugger) this.#held.hold(params.sessionId, barrier.timeLeft(params.sessionId))
    } else if (startsWith(message, '{"method":"Target.detachedFromTarget"')) {
      const { params } = JSON.parse(message.toString()) as { params: CdpEvents['Target.detachedFromTarget'] }
      this.#forgetChildren(params.sessionId)
    }
  }

  #adopt(sessionId: string, child: ChildSession): void {
    this.#children.set(sessionId, child)
    this.#browser.connection.host(sessionId, this)
    if (this.#children.size > MAX_SESSIONS) this.#client.close(CDP_CLOSE.tooSlow, 'too many sessions are open')
  }

  /** What goes wrong with a message for this client ends its connection, and nothing else. */
  #guarded(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#failed(error, 'a message of the browser could not be handed to a client')
    }
  }

  #failed(error: unknown, what: string): void {
    this.#browser.logger.error({ err: error }, what)
    this.#client.close(INTERNAL_ERROR, 'a message could not be handed on')
  }

  /** Those below it end with it, of which the browser says nothing. */
  #forgetChildren(sessionId: string): void {
    const ended = new Set([sessionId])
    // In the order in which they were opened: each after the one above it.
    for (const [below, { parentId }] of this.#children) if (parentId !== null && ended.has(parentId)) ended.add(below)
    for (const one of ended) this.#forgetChild(one)
  }

  #forgetChild(sessionId: string): void {
    this.#children.delete(sessionId)
    this.#browser.connection.barrier.detached(sessionId)
    this.#flowControl.endSession(sessionId)
    this.#view.forget(sessionId)
    this.#held.forget(sessionId)
    this.#browser.connection.unhost(sessionId)
  }

  /** The live picture follows the page in front. */
  #noteInFront({ method, params, sessionId }: ClientCommand): void {
    const child = sessionId === null ? undefined : this.#children.get(sessionId)
    const targetId = method === 'Page.bringToFront' ? child?.targetId : params['targetId']
    const isMeant = method === 'Page.bringToFront' || method === 'Target.activateTarget'
    if (isMeant && typeof targetId === 'string') this.#browser.targets.broughtToFront(targetId)
  }

  #actedOn({ method, params, sessionId }: ClientCommand): string | null {
    if (method !== 'Target.closeTarget') return this.#pageIdOf(sessionId)
    const { targetId } = params
    return typeof targetId === 'string' ? this.#browser.targets.pageIdOf(targetId) : null
  }

  /** A frame in a process of its own belongs to the page above it. */
  #pageIdOf(sessionId: string | null): string | null {
    let child = sessionId === null ? undefined : this.#children.get(sessionId)
    while (child) {
      const pageId = this.#browser.targets.pageIdOf(child.targetId)
      if (pageId !== null) return pageId
      child = child.parentId === null ? undefined : this.#children.get(child.parentId)
    }
    return null
  }

  /** A command or its response is larger than what can be handled. */
  #failTooLarge(asked: Asked, why: string): void {
    if (asked.method === CALL_FUNCTION) this.#answer(asked, { result: exceptionOf(why) })
    else this.#fail(asked, SERVER_ERROR, why)
  }

  #fail(command: Asked, code: number, message: string): void {
    this.#answer(command, { error: { code, message } })
  }

  #answer({ id, sessionId }: Pick<Asked, 'id' | 'sessionId'>, outcome: object): void {
    this.#send([encode({ id, ...outcome, ...(sessionId === null ? {} : { sessionId }) })])
  }

  #send(pieces: readonly Uint8Array[]): void {
    if (this.#detaching || this.#isCutOff) return
    if (this.#client.unsentBytes > MAX_UNSENT_BYTES) {
      this.#isCutOff = true
      this.#browser.logger.info('a client that does not read was cut off')
      this.#client.close(CDP_CLOSE.tooSlow, 'too much was left unread')
      return
    }
    this.#client.send(pieces)
  }

  /** While the browser does not read, no client is read either: what it sends waits where it is. */
  #watchCongestion(): void {
    const eased = this.#isCongested ? null : this.#browser.connection.congestion()
    if (!eased) return
    this.#isCongested = true
    this.#regulate()
    void eased.then(() => {
      this.#isCongested = false
      this.#regulate()
    })
  }

  #regulate(): void {
    this.#client[this.#flowControl.isFull || this.#isCongested || this.#inbox.isBusy ? 'pause' : 'resume']()
  }
}

const CLOSING = Buffer.from('}')
const encode = (message: object) => Buffer.from(JSON.stringify(message))
