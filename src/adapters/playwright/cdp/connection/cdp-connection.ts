import type { Readable, Writable } from 'node:stream'
import type { ConnectOverCDPTransport } from 'playwright'
import type { Logger } from '../../../../logger.ts'
import { CommandIds, FIRST_OWN_ID } from '../protocol/command-ids.ts'
import type { CdpArguments, CdpMethod, CdpParams, CdpResult } from '../protocol/cdp-commands.ts'
import type { CdpEvent, CdpEvents } from '../protocol/cdp-events.ts'
import { faultOwner, owned, ownedAs, ownedBy } from '../../../../fault-owner.ts'
import { ReleaseBarrier, RUN } from '../barrier/release-barrier.ts'
import { whenProcessed } from '../barrier/when-processed.ts'
import type { BrowserPipes } from '../pipe/browser-pipes.ts'
import { emptyAnswerTo, parseMessage, withDownloadsIn, type CdpMessage } from '../protocol/cdp-message.ts'
import { EmulationMemory } from './emulation-memory.ts'
import type { ScheduledWork } from '../pipe/fair-scheduler.ts'
import { encodeCommand, type Tenant, type TenantCommand, type TenantResponse } from './tenant.ts'
import { TenantSet } from './tenant-set.ts'
import { readEnds } from '../pipe/message-text.ts'
import { freeMemory } from '../pipe/free-memory.ts'
import { EventListeners, type Listener } from './event-listeners.ts'
import { GatheredReads } from '../pipe/gathered-reads.ts'
import { InputCongestion } from '../pipe/input-congestion.ts'
import { isTooIntricate } from '../pipe/json-weight.ts'
import { MessageFramer } from '../pipe/message-framer.ts'
import { headOf, tailOf, type OversizedMessage } from '../pipe/message-limits.ts'
import { describeOversized, isResult, mayBeSkipped, tooLarge, type TooLarge } from '../pipe/oversized-message.ts'
import { OverdueLines } from '../pipe/overdue-lines.ts'
import { Misbehavior } from './misbehavior.ts'
import { PendingCommands } from './pending-commands.ts'
import { PlaywrightInbox } from './playwright-inbox.ts'
import { UtilityWorlds } from './utility-worlds.ts'
import { BrowserGone } from '../protocol/target-gone.ts'

/** Limit of a message. At 100 MiB (on a pipe) Chromium considers its connection broken and exits. */
const MAX_BYTES = 99 * 1024 * 1024
/** How long to read the rest of a browser's output after its input pipe broke. */
const FINAL_READ_MS = 500
const SERVER_ERROR = -32_000

/**
 * The only connection to a browser process: NUL-terminated JSON messages over two pipes. Playwright drives the browser
 * through `transport`, and we listen on the same connection. So the recorders get each event once, in the order in
 * which the browser sent it, with every member of the protocol, before any page can be missed. Nothing is enabled twice
 * in the browser, and no second client library has to process ten thousand console lines.
 */
export class CdpConnection implements ScheduledWork {
  readonly transport: ConnectOverCDPTransport
  /** Paused targets and their holders. */
  readonly barrier: ReleaseBarrier
  /** Called with the milliseconds that each turn took. */
  onSpent: (milliseconds: number) => void = () => undefined
  readonly #input: Writable
  readonly #output: Readable
  readonly #pipes: BrowserPipes
  readonly #framer: MessageFramer
  readonly #reads: GatheredReads
  readonly #inbox: PlaywrightInbox
  readonly #logger: Logger
  readonly #misbehavior: Misbehavior
  /** All pipes take turns in one task, which has no fault owner. */
  readonly #owner = faultOwner()
  readonly #listeners = new EventListeners((error, method) => {
    // An event that is not recorded must not be missing silently: it ends the session, and neither others nor the server.
    this.#logger.error({ err: error, method }, 'an event of the browser could not be recorded')
    this.#owner?.fail(error)
  })
  readonly #pending = new PendingCommands()
  readonly #tenants = new TenantSet()
  readonly #emulation = new EmulationMemory()
  /** Those of our own Playwright. */
  readonly worlds = new UtilityWorlds(this)
  readonly #closeListeners: (() => void)[] = []
  #skipped: ((event: TooLarge) => void) | null = null
  readonly #overdue: OverdueLines
  #lineSkipped: (sessionId: string) => void = () => undefined
  readonly #congestion: InputCongestion
  readonly #ids = new CommandIds()
  #closed = false
  /** The output pipe has ended. */
  #isOver = false
  readonly #resultListeners = new Set<() => void>()
  #isTransportClosed = false
  #finalRead: NodeJS.Timeout | undefined
  #caughtUp = Promise.withResolvers<void>()

  /** `downloadsDir`: where the browser saves downloads. */
  constructor(input: Writable, output: Readable, downloadsDir: string, pipes: BrowserPipes, logger: Logger) {
    this.#input = input
    this.#output = output
    this.#reads = new GatheredReads(output)
    this.#congestion = new InputCongestion(input)
    this.#pipes = pipes
    this.#logger = logger
    this.#misbehavior = new Misbehavior(logger)
    this.#framer = new MessageFramer(pipes.limits, pipes.unfinished, (head) => this.#tenants.mayBeRelayed(head))
    const wake = () => pipes.scheduler.wake(this)
    this.#inbox = new PlaywrightInbox((message) => this.#hand(message), wake)
    this.#overdue = new OverdueLines(pipes.limits.overdueMs)
    this.on('Runtime.consoleAPICalled', ({ timestamp, executionContextId }) => {
      this.#reads.line()
      if (executionContextId !== 0) this.#overdue.noteReceived(timestamp, pipes.scheduler.behindMs(this))
    })
    this.on('Inspector.targetCrashed', (_, sessionId) => this.#pending.crash(sessionId))
    this.barrier = new ReleaseBarrier({
      resumeTarget: (sessionId) => this.notify(RUN, {}, sessionId),
      processed: (sessionId) => whenProcessed(this, sessionId),
      logger,
    })
    this.on('Target.attachedToTarget', (event, parentId) => this.barrier.attached(event, parentId))
    this.transport = {
      send: (message) => this.#sendOfPlaywright(withDownloadsIn(downloadsDir, message)),
      close: () => this.#input.end(),
    }
    output.on('data', (chunk: Buffer) => {
      this.#framer.push(chunk)
      wake()
    })
    const over = () => {
      this.#isOver = true
      wake()
    }
    output.on('close', over).on('error', over)
    // The input pipe of a dying browser breaks; the output pipe still has to be read.
    input.on('error', () => {
      this.#finalRead ??= setTimeout(over, FINAL_READ_MS)
    })
  }

  /** Resolves when the browser violates its protocol, and its session has to end: with the reason. */
  get misbehaved(): Promise<string> {
    return this.#misbehavior.first
  }

  /** Listens to an event on every session of this connection, Playwright's and ours. */
  on<M extends CdpEvent>(method: M, listener: Listener<M>): void {
    this.#listeners.on(method, listener)
  }

  /** Hides events of our own from Playwright; listeners still get them. One predicate per event. */
  withhold<M extends CdpEvent>(method: M, isOurs: (...event: Parameters<Listener<M>>) => boolean): void {
    this.#listeners.withhold(method, isOurs)
  }

  /**
   * Reports page events that were too large to be read and were skipped. Without a listener (a browser not yet assigned
   * to a session) they count as misbehavior, as do all other messages that are too large.
   */
  onSkipped(listener: (event: TooLarge) => void): void {
    this.#skipped = ownedAs(this.#owner, listener)
  }

  /** Reports lines that were skipped because they came too late: see OverdueLines. */
  onLineSkipped(listener: (sessionId: string) => void): void {
    this.#lineSkipped = ownedAs(this.#owner, listener)
  }

  onClose(listener: () => void): void {
    this.#closeListeners.push(ownedAs(this.#owner, listener))
  }

  /** Calls back when a result or image for Playwright was too large: it would ask again. Returns a disposer. */
  onTooLargeResult(listener: () => void): () => void {
    const own = owned(listener)
    this.#resultListeners.add(own)
    return () => this.#resultListeners.delete(own)
  }

  /** Whether received bytes, whole messages or parts of one, are still unprocessed. */
  get hasUnread(): boolean {
    return (
      !this.#framer.isIdle || this.#framer.unfinishedBytes > 0 || this.#output.isPaused() || this.#reads.isGathering
    )
  }

  /** Resolves when all whole messages received before this call are processed. */
  caughtUp(): Promise<void> {
    return this.#framer.isIdle ? Promise.resolve() : this.#caughtUp.promise
  }

  /** Sends a command of our own. Rejects when the browser returns an error, or the browser or the session is gone. */
  send<M extends CdpMethod>(method: M, ...[params, sessionId]: CdpArguments<M>): Promise<CdpResult<M>> {
    return this.#send(method, params ?? {}, sessionId)
  }

  /**
   * Asks a page on Playwright's session. Resolves once Playwright has everything that the browser said before, and rejects
   * with PageCrashed where the page has crashed, since it never answers then.
   */
  sendInOrder<M extends CdpMethod>(method: M, params: CdpParams<M>, sessionId: string): Promise<CdpResult<M>> {
    return this.#send(method, params, sessionId, true)
  }

  /** Sends a command whose answer nobody needs, such as one to a target that may be gone already. */
  notify<M extends CdpMethod>(method: M, ...[params, sessionId]: CdpArguments<M>): void {
    this.#notifyBrowser(method, params ?? {}, sessionId)
  }

  #send(method: string, params: object, sessionId: string | undefined, isInTurn = false): Promise<object> {
    if (this.#closed) return Promise.reject(new BrowserGone(`${method}: `))
    const id = this.#ids.next()
    const answered = this.#pending.add(id, sessionId, isInTurn)
    this.#write(sessionId === undefined ? { id, method, params } : { id, method, params, sessionId })
    return answered
  }

  #notifyBrowser(method: string, params: object, sessionId: string | undefined): void {
    this.#send(method, params, sessionId).catch((error: unknown) => this.#logger.trace({ err: error }, method))
  }

  /** Resumes the target of a session of ours once all its holders have released it. */
  release(sessionId: string): void {
    this.barrier.pass({ method: RUN, sessionId }, () => this.notify(RUN, {}, sessionId))
  }

  /** From now on, messages of the session go to the tenant alone, not to Playwright or listeners. */
  host(sessionId: string, tenant: Tenant): void {
    this.#tenants.host(sessionId, tenant)
  }

  unhost(sessionId: string): void {
    this.#tenants.unhost(sessionId)
    this.#pending.forget(sessionId)
  }

  /**
   * Sends a tenant's command and hands over the unparsed response. It gets an id of ours: a response may lack the
   * session id of its command, and would be taken for one to Playwright. Returns a function that discards the response;
   * null: the command was not sent, for it exceeds the browser's limit. It may do so although it was short when it was
   * received: 1e20 has 21 digits here.
   */
  relay(command: TenantCommand, answered: TenantResponse): (() => void) | null {
    if (this.#closed) return () => {}
    const id = this.#ids.next()
    const pieces = encodeCommand(id, command)
    if (pieces.reduce((bytes, piece) => bytes + piece.length, 0) > MAX_BYTES) return null
    const forget = this.#tenants.expect(id, answered)
    for (const piece of pieces) this.#input.write(piece)
    return forget
  }

  /** Null: the browser reads as fast as we write. Otherwise resolves when it has caught up or is gone. */
  congestion(): Promise<void> | null {
    return this.#closed ? null : this.#congestion.easing()
  }

  /** Repeats Playwright's last settings by these commands on a session after another client has changed them. */
  emulateAgain(sessionId: string, methods: ReadonlySet<string>): void {
    for (const { method, params } of this.#emulation.commands(sessionId, methods)) {
      this.#notifyBrowser(method, params, sessionId)
    }
  }

  #sendOfPlaywright(message: CdpMessage): void {
    this.#emulation.note(message)
    this.worlds.note(message)
    const answer = () => {
      this.#inbox.add(emptyAnswerTo(message), 0)
      this.#pipes.scheduler.wake(this)
    }
    this.barrier.pass(message, () => this.#write(message), answer)
  }

  #write(message: object): void {
    if (!this.#closed) this.#input.write(`${JSON.stringify(message)}\0`)
  }

  /** See FairScheduler: charges the time spent elsewhere; assigns the browser to a session; announces its end. */
  readonly charge = (milliseconds: number): void => this.#pipes.scheduler.charge(this, milliseconds)
  readonly take = (): void => this.#pipes.scheduler.take(this)
  readonly hurry = (): void => this.#pipes.scheduler.release(this)

  /** See ScheduledWork. Messages beyond the time limit stay in the pipe, and the browser waits. */
  work(until: number): boolean {
    const start = performance.now()
    const hasMore = ownedBy(this.#owner, () => this.#work(until))
    this.onSpent(performance.now() - start)
    return hasMore
  }

  #work(until: number): boolean {
    try {
      do {
        this.#inbox.drain(until)
        const message = this.#inbox.isFull ? null : this.#framer.next()
        if (!message) break
        this.#reads.message()
        this.#take(message)
      } while (performance.now() < until)
      this.#inbox.drain(until)
      if (this.#framer.isEndless) this.#misbehavior.report('The browser sent a message that does not end.')
    } catch (error) {
      this.#logger.error({ err: error }, 'a message of the browser could not be processed')
      if (this.#owner) this.#owner.fail(error)
      else this.#misbehavior.report('A message of the browser could not be processed.')
    }
    const canRead = !this.#framer.isIdle && !this.#inbox.isFull
    if (this.#framer.isIdle) {
      this.#caughtUp.resolve()
      this.#caughtUp = Promise.withResolvers()
      if (this.#isOver) this.#end()
    }
    if (this.#framer.isIdle && !this.#inbox.isFull) this.#reads.resume()
    else this.#output.pause()
    if (this.#closed && this.#inbox.isEmpty) this.#closeTransport()
    return canRead || this.#inbox.canHand
  }

  #take(message: Buffer | OversizedMessage): void {
    if ('head' in message) return this.#skip(describeOversized(message))
    if (this.#tenants.handOver(message)) return
    if (this.#overdue.skips(message)) {
      const { sessionId } = readEnds(message)
      freeMemory(message)
      if (sessionId !== null) this.#lineSkipped(sessionId)
      return
    }
    const { limits } = this.#pipes
    if (message.length > limits.parsed || isTooIntricate(message, limits)) {
      const ends = { head: headOf([message]), tail: tailOf([message]), bytes: message.length }
      return this.#skip(describeOversized(ends))
    }
    const { length } = message
    const parsed = parseMessage(message.toString())
    freeMemory(message)
    if (parsed) this.#dispatch(parsed, length)
    else this.#misbehavior.report('The browser sent a message that is not valid.')
  }

  /** Too large: the sender of its command gets an error, page events are counted, anything else is misbehavior. */
  #skip(message: TooLarge): void {
    const { id, method, sessionId, bytes, head } = message
    if (id !== null) return this.#skipResponse(id, sessionId, head, tooLarge(`The browser's response`, bytes))
    const tenant = this.#tenants.of(sessionId)
    if (tenant) return tenant.eventTooLarge(message)
    if (method !== null && this.#skipped && mayBeSkipped(method)) return this.#skipped(message)
    this.#misbehavior.report(
      tooLarge(method === null ? 'A message of the browser' : `The browser's ${method} event`, bytes),
    )
  }

  #skipResponse(id: number, sessionId: string | null, head: string, why: string): void {
    const answer = this.#tenants.takeAnswer(id)
    if (answer) return answer.tooLarge(why)
    if (id < FIRST_OWN_ID && isResult(head)) for (const listener of this.#resultListeners) listener()
    const error = { code: SERVER_ERROR, message: why }
    this.#dispatch(sessionId === null ? { id, error } : { id, error, sessionId }, why.length)
  }

  #dispatch(message: CdpMessage, bytes: number): void {
    const { id } = message
    if (id !== undefined && id >= FIRST_OWN_ID && !this.#pending.isInTurn(id))
      return this.#pending.answered(id, message)
    if (message.method !== undefined && this.#notify(message.method, message)) return
    this.#inbox.add(message, bytes)
  }

  /** Whether the event is for us alone. */
  #notify(method: string, { params, sessionId }: CdpMessage): boolean {
    if (method === 'Target.detachedFromTarget') {
      const { sessionId: ended } = (params ?? {}) as Partial<CdpEvents['Target.detachedFromTarget']>
      if (ended !== undefined) this.#forget(ended)
    }
    return this.#listeners.notify(method, params, sessionId)
  }

  #hand(message: CdpMessage): void {
    const { id } = message
    if (id !== undefined && id >= FIRST_OWN_ID) return this.#pending.answered(id, message)
    try {
      this.transport.onmessage?.(message)
    } catch (error) {
      this.#logger.error({ err: error, method: message.method }, 'Playwright failed to handle a message')
    }
  }

  #forget(sessionId: string): void {
    this.#emulation.forget(sessionId)
    this.barrier.detached(sessionId)
    this.#pending.forget(sessionId)
  }

  #end(): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#finalRead)
    this.#framer.dispose()
    this.#pipes.scheduler.end(this)
    this.#reads.stop()
    this.barrier.open()
    this.#pending.clear()
    this.#tenants.clear()
    for (const listener of this.#closeListeners) listener()
  }

  /** Playwright gets the close event after all messages received before it. */
  #closeTransport(): void {
    if (this.#isTransportClosed) return
    this.#isTransportClosed = true
    this.transport.onclose?.()
  }
}
