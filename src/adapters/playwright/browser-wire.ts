import type { Readable, Writable } from 'node:stream'
import type { ConnectOverCDPTransport } from 'playwright'
import type { Logger } from '../../logger.ts'
import type { CdpEvent, CdpEvents } from './cdp-events.ts'
import { faultOwner } from '../../ports/fault-owner.ts'
import { readEnds, type MessageEnds } from './relay/message-text.ts'

type Listener<M extends CdpEvent> = (params: CdpEvents[M], sessionId: string | undefined) => void

interface CdpMessage {
  id?: number
  method?: string
  params?: object
  sessionId?: string
  result?: object
  error?: { message: string }
}

interface PendingCommand {
  sessionId: string | undefined
  resolve(result: object): void
  reject(error: Error): void
}

/** A command of a guest, as it goes to the browser. */
export interface GuestCommand {
  method: string
  params: object
  sessionId: string
}

/** Someone who drives sessions of the protocol of its own over this wire. */
export interface Guest {
  /** An event of one of its sessions, as it came. */
  event(message: Buffer, ends: MessageEnds): void
}

type GuestAnswer = (message: Buffer, ends: MessageEnds) => void

/** Playwright numbers its commands from 1 on; ours start where it never comes, so that answers tell themselves apart. */
const FIRST_OWN_ID = 1_000_000_000
/** The protocol's numbers are 32 bits wide. */
const LAST_OWN_ID = 2_147_000_000
/** Of a message. At 100 MiB (of a pipe) Chromium takes its connection for broken, and ends. */
const MOST_BYTES = 99 * 1024 * 1024
const NUL = 0
const SET_SIZES = 'Emulation.setDeviceMetricsOverride'

/**
 * The one connection to a browser process: messages of JSON, ended by NUL, over two pipes. Playwright drives the
 * browser through `transport`, and we listen on the same wire. So the recorders hear each event once, in the order in
 * which the browser sent it, with everything the protocol says, before any page can be missed; nothing is enabled twice
 * in the browser, and no second client library stands in the way of ten thousand console lines.
 */
export class BrowserWire {
  readonly transport: ConnectOverCDPTransport
  readonly #input: Writable
  readonly #logger: Logger
  readonly #listeners = new Map<string, ((params: never, sessionId: string | undefined) => void)[]>()
  readonly #withheld = new Map<string, (params: never, sessionId: string | undefined) => boolean>()
  readonly #pending = new Map<number, PendingCommand>()
  readonly #guests = new Map<string, Guest>()
  readonly #guestAnswers = new Map<number, GuestAnswer>()
  /** Of each session: the last parameters that Playwright gave each command that emulates something. */
  readonly #emulated = new Map<string, Map<string, object>>()
  readonly #closeListeners: (() => void)[] = []
  #easing: Promise<void> | null = null
  #nextId = FIRST_OWN_ID
  #closed = false
  #chunks: Buffer[] = []
  #queue: CdpMessage[] = []
  #queueStart = 0
  #draining = false

  /** `downloadsDir`: where the browser shall put downloads. */
  constructor(input: Writable, output: Readable, downloadsDir: string, logger: Logger) {
    this.#input = input
    this.#logger = logger
    this.transport = {
      send: (message) => this.#sendOfPlaywright(withDownloadsIn(downloadsDir, message)),
      close: () => this.#input.end(),
    }
    output.on('data', (chunk: Buffer) => this.#receive(chunk))
    output.on('close', () => this.#end())
    // The pipe of a dying browser breaks; its process tells the end.
    input.on('error', () => this.#end())
    output.on('error', () => this.#end())
  }

  /** Listens to an event on every session of this wire, Playwright's and ours. */
  on<M extends CdpEvent>(method: M, listener: Listener<M>): void {
    const listeners = this.#listeners.get(method)
    if (listeners) listeners.push(listener)
    else this.#listeners.set(method, [listener])
  }

  /** Keeps events from Playwright that are meant for us alone; listeners hear them. One predicate an event. */
  withhold<M extends CdpEvent>(method: M, isOurs: (...event: Parameters<Listener<M>>) => boolean): void {
    this.#withheld.set(method, isOurs)
  }

  onClose(listener: () => void): void {
    this.#closeListeners.push(listener)
  }

  /** Sends a command of our own. Rejects when the browser refuses it, or that or the session is gone. */
  send<R extends object = object>(method: string, params: object = {}, sessionId?: string): Promise<R> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(new Error(`${method}: the browser is gone`))
        return
      }
      const id = this.#newId()
      this.#pending.set(id, { resolve, reject, sessionId })
      this.#write(sessionId === undefined ? { id, method, params } : { id, method, params, sessionId })
    })
  }

  /** Sends a command whose answer nobody needs, such as one to a target that may be gone already. */
  tell(method: string, params: object, sessionId?: string): void {
    this.send(method, params, sessionId).catch((error: unknown) => this.#logger.trace({ err: error }, method))
  }

  /** From now on, messages of the session are the guest's alone: neither Playwright nor a listener hears them. */
  host(sessionId: string, guest: Guest): void {
    this.#guests.set(sessionId, guest)
  }

  unhost(sessionId: string): void {
    this.#guests.delete(sessionId)
  }

  /**
   * Sends a guest's command, and hands over the answer as it came. The number is ours, for an answer may come without
   * the session that was asked, and would be taken for one of Playwright's. Returns how to want the answer no more; null:
   * nothing was sent, for it is longer than what the browser reads. Short as it came, it may be: 1e20 has 21 digits here.
   */
  relay(command: GuestCommand, answered: GuestAnswer): (() => void) | null {
    if (this.#closed) return () => {}
    const id = this.#newId()
    const message = `${JSON.stringify({ id, ...command })}\0`
    if (Buffer.byteLength(message) > MOST_BYTES) return null
    this.#guestAnswers.set(id, answered)
    this.#input.write(message)
    return () => this.#guestAnswers.delete(id)
  }

  /** Null: the browser reads as fast as it is written to. Else resolves when it has caught up, or is gone. */
  congestion(): Promise<void> | null {
    if (this.#closed || !this.#input.writableNeedDrain) return null
    // One for all guests: a listener for each would be more than Node takes for no leak.
    this.#easing ??= new Promise((resolve) => {
      const settle = () => {
        this.#input.off('drain', settle).off('close', settle)
        this.#easing = null
        resolve()
      }
      this.#input.once('drain', settle).once('close', settle)
    })
    return this.#easing
  }

  /** Says again what Playwright had set by these commands on a session, where somebody else has set it meanwhile. */
  emulateAgain(sessionId: string, methods: ReadonlySet<string>): void {
    for (const [method, params] of this.#emulated.get(sessionId) ?? []) {
      if (!methods.has(method)) continue
      // To the browser these are no news, as the session had said them before, and it would leave the screen as it is.
      if (method === SET_SIZES) this.tell('Emulation.clearDeviceMetricsOverride', {}, sessionId)
      this.tell(method, params, sessionId)
    }
  }

  #newId(): number {
    const id = this.#nextId++
    if (this.#nextId > LAST_OWN_ID) this.#nextId = FIRST_OWN_ID
    return id
  }

  #sendOfPlaywright(message: CdpMessage): void {
    const { method, params, sessionId } = message
    if (sessionId !== undefined && params && method?.startsWith('Emulation.')) {
      const ofSession = this.#emulated.get(sessionId) ?? new Map<string, object>()
      this.#emulated.set(sessionId, ofSession.set(method, params))
    }
    this.#write(message)
  }

  #write(message: object): void {
    if (!this.#closed) this.#input.write(`${JSON.stringify(message)}\0`)
  }

  #receive(chunk: Buffer): void {
    let start = 0
    let end = chunk.indexOf(NUL)
    while (end !== -1) {
      let message = chunk.subarray(start, end)
      if (this.#chunks.length > 0) {
        this.#chunks.push(message)
        message = Buffer.concat(this.#chunks)
        this.#chunks = []
      }
      if (!this.#handOver(message)) this.#read(message.toString())
      start = end + 1
      end = chunk.indexOf(NUL, start)
    }
    if (start < chunk.length) this.#chunks.push(chunk.subarray(start))
  }

  /** Whether the message is a guest's. */
  #handOver(message: Buffer): boolean {
    if (this.#guests.size === 0 && this.#guestAnswers.size === 0) return false
    const ends = readEnds(message)
    try {
      if (ends.id !== null) {
        const answered = this.#guestAnswers.get(ends.id)
        if (!answered) return false
        this.#guestAnswers.delete(ends.id)
        answered(message, ends)
        return true
      }
      const guest = ends.sessionId === null ? undefined : this.#guests.get(ends.sessionId)
      guest?.event(message, ends)
      return guest !== undefined
    } catch (error) {
      this.#logger.error({ err: error }, 'a message of the browser could not be handed to a guest')
      return true
    }
  }

  #read(text: string): void {
    let message: CdpMessage
    try {
      message = JSON.parse(text) as CdpMessage
    } catch (error) {
      this.#logger.error({ err: error }, 'a message of the browser could not be read')
      return
    }
    this.#dispatch(message)
  }

  #dispatch(message: CdpMessage): void {
    if (message.id !== undefined && message.id >= FIRST_OWN_ID) {
      const command = this.#pending.get(message.id)
      this.#pending.delete(message.id)
      if (message.error) command?.reject(new Error(message.error.message))
      else command?.resolve(message.result ?? {})
      return
    }
    if (message.method !== undefined) {
      if (message.method === 'Target.detachedFromTarget') {
        this.#forget((message.params as CdpEvents['Target.detachedFromTarget']).sessionId)
      }
      for (const listener of this.#listeners.get(message.method) ?? []) {
        try {
          listener(message.params as never, message.sessionId)
        } catch (error) {
          // What is not recorded must not be missing quietly: it costs the session, not the others, nor the server.
          this.#logger.error({ err: error, method: message.method }, 'an event of the browser could not be recorded')
          faultOwner()?.fail(error)
        }
      }
      if (this.#withheld.get(message.method)?.(message.params as never, message.sessionId) === true) return
    }
    this.#queue.push(message)
    if (!this.#draining) this.#drain()
  }

  /**
   * Hands messages on to Playwright, each in a task of its own where its code may await an answer before it is ready
   * for the next event. Floods are of two kinds that it handles without waiting; those go on in the same task.
   */
  #drain(): void {
    this.#draining = true
    while (this.#queueStart < this.#queue.length) {
      const message = this.#queue[this.#queueStart++]!
      try {
        this.transport.onmessage?.(message)
      } catch (error) {
        this.#logger.error({ err: error, method: message.method }, 'Playwright failed to handle a message')
      }
      if (message.method !== 'Runtime.consoleAPICalled' && message.method?.startsWith('Network.') !== true) {
        setImmediate(() => this.#drain())
        return
      }
    }
    this.#queue = []
    this.#queueStart = 0
    this.#draining = false
    if (this.#closed) this.transport.onclose?.()
  }

  /** The browser answers nothing more on a session that is gone. */
  #forget(sessionId: string): void {
    this.#emulated.delete(sessionId)
    for (const [id, command] of this.#pending) {
      if (command.sessionId !== sessionId) continue
      this.#pending.delete(id)
      command.reject(new Error('the target is gone'))
    }
  }

  #end(): void {
    if (this.#closed) return
    this.#closed = true
    for (const command of this.#pending.values()) command.reject(new Error('the browser is gone'))
    this.#pending.clear()
    this.#guestAnswers.clear()
    this.#guests.clear()
    for (const listener of this.#closeListeners) listener()
    if (!this.#draining) this.transport.onclose?.()
  }
}

/**
 * Playwright knows one folder for what the browser downloads and for what it writes itself, with our rights. These are
 * two: what the browser may write to is no place for us to write to (see BrowserFolders).
 */
function withDownloadsIn(downloadsDir: string, message: CdpMessage): CdpMessage {
  if (message.method !== 'Browser.setDownloadBehavior') return message
  return { ...message, params: { ...message.params, downloadPath: downloadsDir } }
}
