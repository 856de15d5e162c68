import type { Logger } from 'pino'
import { ownedBy, unowned } from '../../fault-owner.ts'
import type { MachineAddress, MachineChannel, MessageId, Messenger } from '../../ports/machines/machine-link.ts'
import { Deadline } from '../../async/deadline.ts'
import { CapacityExceeded } from '../kernel/capacity-queue.ts'
import { CLIENT_MEMORY_BYTES, MemoryBudget } from '../kernel/memory-budget.ts'
import { SessionNotRunning } from '../kernel/session-state.ts'
import { HandleSet } from '../sessions/handle-set.ts'
import type { SessionHandle } from '../sessions/session-handle.ts'
import {
  CALLS_VERSION,
  callContext,
  ENVELOPE_BYTES,
  MESSAGE_BYTES,
  replyContext,
  type CallMessage,
  type OpenMessage,
  type ReplyMessage,
  type Response,
} from './call-messages.ts'
import { decode, encode, encodeError } from './codec.ts'
import { isMethod, runMethod } from './handle-methods.ts'
import { KeptReplies } from './kept-replies.ts'
import { MachineUnreachable } from './machine-unreachable.ts'
import type { MachineSecret } from './machine-secret.ts'
import { ReceivedNumbers } from './received-numbers.ts'
import { ServedChannel } from './served-channel.ts'

/** The sessions of this process alone: a call that has arrived here is not passed on. */
export interface OwnSessions {
  handle(sessionId: string): Promise<SessionHandle | null>
  ownHandles(sessionIds: readonly string[]): SessionHandle[]
}

/** A caller that has not been heard of for so many of its intervals has gone: its calls are canceled. */
const UNHEARD_MS = 15_000
/** Calls under way, of all callers. */
const MAX_CALLS = 10_000
/**
 * What may wait while the session of a connection is looked up: messages of one connection, and bytes of all. A caller
 * sends one call before it is answered; a message has at most twice this size.
 */
const MAX_EARLY = { messages: 100, bytes: 64 * 1024 * 1024 }
/** A store that is away answers within a few seconds that it is. */
const LOOK_UP_MS = 15_000
/** Senders whose numbers are kept: each is a process that had the secret, since this one began its lease. */
const MAX_SENDERS = 100_000

/** Calls of other machines to the sessions of this one, in messages and over connections. */
export class ServedCalls {
  readonly #sessions: OwnSessions
  readonly #messenger: Messenger
  readonly #secret: MachineSecret
  readonly #clientMemory: MemoryBudget
  readonly #logger: Logger
  readonly #unheardMs: number
  readonly #senders = new Map<string, Sender>()
  readonly #replies = new KeptReplies()
  #calls = 0
  /** Of all connections whose sessions are being looked up. */
  #earlyBytes = 0
  #address: MachineAddress | null = null
  #unsubscribe: (() => void) | null = null
  #timer: NodeJS.Timeout | null = null

  constructor(
    sessions: OwnSessions,
    messenger: Messenger,
    secret: MachineSecret,
    logger: Logger,
    clientMemory = new MemoryBudget(CLIENT_MEMORY_BYTES),
    unheardMs = UNHEARD_MS,
  ) {
    this.#clientMemory = clientMemory
    this.#unheardMs = unheardMs
    this.#sessions = sessions
    this.#messenger = messenger
    this.#secret = secret
    this.#logger = logger
  }

  /** Null: it serves no calls now. */
  get address(): MachineAddress | null {
    return this.#address
  }

  /** From now on it serves calls to this address alone. Null: none. */
  serve(address: MachineAddress | null): void {
    this.#unsubscribe?.()
    this.#address = address
    // What earlier senders said was meant for an earlier address.
    this.#senders.clear()
    this.#unsubscribe =
      address && this.#messenger.receive(address, (message) => unowned(() => this.#receive(address, message)))
  }

  /** A connection of another machine. */
  accept(channel: MachineChannel): void {
    let served: ServedChannel | null = null
    let early: Uint8Array[] | null = null
    let bytes = 0
    let isRefused = false
    channel.onMessage((message) => {
      if (isRefused) return
      if (served) return served.receive(message)
      if (early) {
        early.push(message)
        bytes += message.byteLength
        this.#earlyBytes += message.byteLength
        if (early.length <= MAX_EARLY.messages && this.#earlyBytes <= MAX_EARLY.bytes) return
        isRefused = true
        early.length = 0
        this.#earlyBytes -= bytes
        this.#refuse(channel, new CapacityExceeded(1, 'Too much was sent while the session was looked up.'))
        return
      }
      early = []
      void this.#open(channel, decode(message) as OpenMessage).then((opened) => {
        if (isRefused) return
        isRefused = opened === null
        served = opened
        this.#earlyBytes -= bytes
        for (const waiting of early!.splice(0)) served?.receive(waiting)
      })
    })
  }

  close(): void {
    this.serve(null)
    if (this.#timer) clearInterval(this.#timer)
    this.#replies.close()
  }

  /** Null: there is nothing to be said over it. Never rejects. */
  async #open(channel: MachineChannel, open: OpenMessage): Promise<ServedChannel | null> {
    const say = (response: Response) => channel.send(encode(response))
    try {
      if (open.version !== CALLS_VERSION) {
        say({ say: 'UNKNOWN', id: 1 })
        channel.close()
      } else if (open.say === 'FETCH') {
        const kept = this.#replies.find(open.call)
        if (!kept) throw new MachineUnreachable('the response was lost')
        say({ say: 'RESULT', id: 1, result: (decode(kept) as Extract<ReplyMessage, { say: 'RESULT' }>).result })
        this.#replies.forget(open.call)
      } else {
        const found = this.#sessions.handle(open.sessionId)
        if (!(await Deadline.isMet(found, LOOK_UP_MS)))
          throw new MachineUnreachable('it did not find the session in time')
        const handle = await found
        if (handle) return new ServedChannel(handle, channel, this.#clientMemory, this.#logger)
        throw new SessionNotRunning()
      }
    } catch (error) {
      this.#refuse(channel, error)
    }
    return null
  }

  #refuse(channel: MachineChannel, error: unknown): void {
    // The first call of a connection has the number 1.
    channel.send(encode({ say: 'ERROR', id: 1, error: encodeError(error, NEVER) } satisfies Response))
    channel.close()
  }

  /** Never throws. */
  #receive(address: MachineAddress, sealed: Uint8Array): void {
    const opened = this.#secret.open(callContext(address), sealed)
    if (!opened) return this.#logger.debug('a message to this machine that no machine has sent was ignored')
    try {
      const message = decode(opened) as CallMessage
      this.#take(address, message)
    } catch (error) {
      this.#logger.error({ err: error }, 'a message of another machine could not be read')
    }
  }

  #take(address: MachineAddress, message: CallMessage): void {
    const sender = this.#senderOf(message.sender)
    sender.isHandled = true
    const reply = (said: ReplyMessage) => this.#reply(address, message, said)
    if (!sender.numbers.isNew(message.number)) return this.#repeat(address, message, sender)
    if (message.version !== CALLS_VERSION) return reply({ say: 'UNKNOWN' })
    if (message.say === 'ABORT') return sender.calls.get(message.call)?.abort()
    if (message.say === 'WAITING') return this.#reassure(address, message, sender)
    if (message.say === 'CALL' && !isMethod(message.method)) return reply({ say: 'UNKNOWN' })
    const controller = new AbortController()
    const { signal } = controller
    const fail = (error: unknown) => {
      const encoded = encodeError(error, signal)
      if (encoded.kind === 'FAULT') this.#logger.error({ err: error }, 'a call of another machine failed')
      this.#finish(address, message, { say: 'ERROR', error: encoded })
    }
    if (this.#calls >= MAX_CALLS) return fail(new CapacityExceeded(1, 'Too many calls of other servers are pending.'))
    if (message.say === 'CALL' && message.isAborted) controller.abort()
    sender.calls.set(message.number, controller)
    this.#calls += 1
    this.#timer ??= setInterval(() => this.#leaveUnheard(), this.#unheardMs).unref()
    // What it starts and nobody could catch fails this call only.
    void ownedBy({ fail }, () => this.#run(message, signal))
      .then((result) => this.#finish(address, message, { say: 'RESULT', result: result ?? null }))
      .catch(fail)
      .finally(() => {
        this.#calls -= 1
        sender.calls.delete(message.number)
      })
  }

  async #run(message: Extract<CallMessage, { say: 'CALL' | 'ASK' }>, signal: AbortSignal): Promise<unknown> {
    if (message.say === 'ASK') {
      const { sessionIds, question, answerMs } = message
      const handles = new HandleSet(this.#sessions.ownHandles(sessionIds), this.#logger, answerMs)
      return [...(await handles[question]())]
    }
    const handle = await this.#sessions.handle(message.sessionId)
    if (!handle) throw new SessionNotRunning()
    return runMethod(handle, message.method, message.args, signal)
  }

  /** Repeats the replies that a waiting caller has not received, and reports its calls that were lost. */
  #reassure(address: MachineAddress, message: Extract<CallMessage, { say: 'WAITING' }>, sender: Sender): void {
    this.#reply(address, message, { say: 'RESULT', result: null })
    for (const number of message.calls) this.#repeat(address, { sender: message.sender, number }, sender)
  }

  #repeat(address: MachineAddress, id: MessageId, { calls }: Sender): void {
    if (calls.has(id.number)) return
    const kept = this.#replies.find(id)
    if (kept) this.#sendResult(address, id, kept)
    else this.#reply(address, id, { say: 'FORGOTTEN' })
  }

  /** Keeps the reply, and sends it. Throws TypeError for a result that is no data. */
  #finish(address: MachineAddress, id: MessageId, said: ReplyMessage): void {
    const bytes = encode(said)
    if (this.#replies.save(id, bytes)) return this.#sendResult(address, id, bytes)
    this.#logger.error({ bytes: bytes.byteLength }, 'the result of a call of another machine is too large')
    this.#reply(address, id, { say: 'ERROR', error: { kind: 'FAULT' } })
  }

  #sendResult(address: MachineAddress, id: MessageId, bytes: Uint8Array): void {
    const isSmall = bytes.byteLength <= Math.min(MESSAGE_BYTES, this.#messenger.maxBytes - ENVELOPE_BYTES)
    if (isSmall) this.#send(address, id, bytes)
    else this.#reply(address, id, { say: 'TOO_LARGE' })
  }

  #reply(address: MachineAddress, id: MessageId, said: ReplyMessage): void {
    this.#send(address, id, encode(said))
  }

  #send(address: MachineAddress, { sender, number }: MessageId, bytes: Uint8Array): void {
    // A reply that cannot be sent is kept: its caller has lost its connection, or asks again after this machine has.
    const sealed = this.#secret.seal(replyContext(address, { sender, number }), bytes)
    this.#messenger.reply({ sender, number }, sealed)
  }

  #senderOf(name: string): Sender {
    let sender = this.#senders.get(name)
    if (!sender)
      this.#senders.set(name, (sender = { numbers: new ReceivedNumbers(), calls: new Map(), isHandled: true }))
    if (this.#senders.size > MAX_SENDERS) this.#senders.delete(this.#senders.keys().next().value!)
    return sender
  }

  #leaveUnheard(): void {
    for (const sender of this.#senders.values()) {
      if (!sender.isHandled) for (const controller of sender.calls.values()) controller.abort()
      sender.isHandled = false
    }
    if (this.#calls > 0 || !this.#timer) return
    clearInterval(this.#timer)
    this.#timer = null
  }
}

interface Sender {
  readonly numbers: ReceivedNumbers
  readonly calls: Map<number, AbortController>
  /** Since the last look. */
  isHandled: boolean
}

const NEVER = new AbortController().signal
