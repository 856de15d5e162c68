import { randomUUID } from 'node:crypto'
import { Deadline } from '../../async/deadline.ts'
import { unowned } from '../../fault-owner.ts'
import type { MachineAddress, MessageId, Messenger } from '../../ports/machines/machine-link.ts'
import {
  CALLS_VERSION,
  callContext,
  MESSAGE_BYTES,
  replyContext,
  type CallMessage,
  type ReplyMessage,
} from './call-messages.ts'
import { OTHER_VERSION } from './channel-calls.ts'
import { decode, decodeError, encode } from './codec.ts'
import { MachineUnreachable } from './machine-unreachable.ts'
import type { MachineSecret } from './machine-secret.ts'

/** What a caller says of a call; see CallMessage. */
export type Said =
  | Omit<Extract<CallMessage, { say: 'CALL' }>, keyof MessageId | 'version'>
  | Omit<Extract<CallMessage, { say: 'ASK' }>, keyof MessageId | 'version'>

/** The result is at the machine, which has it for a while: see ChannelCalls.fetch. */
export interface ResultElsewhere {
  readonly fetchedBy: MessageId
}

export interface CallTiming {
  /** How often a machine that owes a reply is asked whether it still works on it. */
  beatMs: number
  /** Without a response to so many of these questions in succession, a machine is given up. */
  beats: number
  /** The same where nobody received them: it is gone, or has lost its connection for a moment. */
  unheardBeats: number
}

const CALL_TIMING: CallTiming = { beatMs: 2_000, beats: 5, unheardBeats: 3 }

interface Pending {
  to: MachineAddress
  sealed: Uint8Array
  /** Its machine was there, or will be again: see CallTiming. */
  isUnderWay: boolean
  reply(message: ReplyMessage): void
  fail(error: MachineUnreachable): void
}

/**
 * Calls to other machines in messages. A call to a machine that is gone fails at once, and one under way soon after its
 * machine has gone; one whose message or reply was lost with a connection is sent again under the same number, and
 * carried out once.
 */
export class RemoteCalls {
  readonly #messenger: Messenger
  readonly #secret: MachineSecret
  readonly #timing: CallTiming
  readonly #sender = randomUUID()
  readonly #pending = new Map<number, Pending>()
  /** Machines that owe a reply, with the questions since the last sign of life. */
  readonly #beats = new Map<string, { to: MachineAddress; unanswered: number; unheard: number }>()
  /** The latest of these questions. */
  readonly #questions = new Map<number, MachineAddress>()
  readonly #unsubscribe: () => void
  #numbers = 0
  #timer: NodeJS.Timeout | null = null

  constructor(messenger: Messenger, secret: MachineSecret, timing: CallTiming = CALL_TIMING) {
    this.#messenger = messenger
    this.#secret = secret
    this.#timing = timing
    this.#unsubscribe = messenger.receiveReplies(this.#sender, {
      replied: (number, message) => this.#replied(number, message),
      unheard: (number) => this.#unheard(number),
      connected: () => this.#sendAgain(),
    })
  }

  /**
   * The result of a call. The signal cancels it there; the result is waited for all the same. Null: the call is too
   * large for a message. Throws as the called member, and MachineUnreachable.
   */
  async ask(
    to: MachineAddress,
    said: Said,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<{ result: unknown } | ResultElsewhere | null> {
    const { number, sealed } = this.#seal(to, said)
    if (sealed.byteLength > Math.min(MESSAGE_BYTES, this.#messenger.maxBytes)) return null
    const { promise, resolve, reject } = Promise.withResolvers<ReplyMessage>()
    this.#pending.set(number, { to, sealed, isUnderWay: false, reply: resolve, fail: reject })
    const abort = () => this.#cancel(to, number)
    signal?.addEventListener('abort', abort, { once: true })
    const late = () => new MachineUnreachable(`no response within ${timeoutMs / 1000} s`)
    using deadline = new Deadline(timeoutMs, [], late)
    try {
      if (!this.#messenger.send(to, { sender: this.#sender, number }, sealed)) throw new MachineUnreachable(NO_NATS)
      this.#watch(to)
      const reply = await deadline.race(promise)
      if (reply.say === 'RESULT') return { result: reply.result }
      if (reply.say === 'TOO_LARGE') return { fetchedBy: { sender: this.#sender, number } }
      if (reply.say === 'ERROR') throw decodeError(reply.error, signal)
      throw new MachineUnreachable(reply.say === 'FORGOTTEN' ? 'the response was lost' : OTHER_VERSION)
    } finally {
      if (deadline.hasExpired) abort()
      signal?.removeEventListener('abort', abort)
      this.#pending.delete(number)
    }
  }

  /** Pending calls fail. */
  close(): void {
    this.#unsubscribe()
    if (this.#timer) clearInterval(this.#timer)
    for (const { fail } of this.#pending.values()) fail(new MachineUnreachable('this server is shutting down'))
  }

  #seal(to: MachineAddress, said: Said | { say: 'ABORT'; call: number } | { say: 'WAITING'; calls: number[] }) {
    const number = (this.#numbers += 1)
    const message = encode({ version: CALLS_VERSION, sender: this.#sender, number, ...said })
    return { number, sealed: this.#secret.seal(callContext(to), message) }
  }

  #cancel(to: MachineAddress, call: number): void {
    const { number, sealed } = this.#seal(to, { say: 'ABORT', call })
    this.#messenger.send(to, { sender: this.#sender, number }, sealed)
  }

  #replied(number: number, sealed: Uint8Array): void {
    const pending = this.#pending.get(number)
    const to = pending?.to ?? this.#questions.get(number)
    const message = to && this.#secret.open(replyContext(to, { sender: this.#sender, number }), sealed)
    if (!message) return
    const machine = this.#beats.get(keyOf(to))
    if (machine) machine.unanswered = machine.unheard = 0
    this.#questions.delete(number)
    pending?.reply(replyIn(message))
  }

  #unheard(number: number): void {
    const pending = this.#pending.get(number)
    if (pending && !pending.isUnderWay) return pending.fail(new MachineUnreachable(GONE))
    const to = this.#questions.get(number)
    const machine = to && this.#beats.get(keyOf(to))
    if (machine) machine.unheard += 1
    if (machine && machine.unheard >= this.#timing.unheardBeats) this.#fail(machine.to, GONE)
  }

  #fail(to: MachineAddress, reason: string): void {
    const key = keyOf(to)
    for (const pending of this.#pending.values()) {
      if (keyOf(pending.to) === key) pending.fail(new MachineUnreachable(reason))
    }
  }

  #sendAgain(): void {
    for (const [number, pending] of this.#pending) {
      // Its machine may get its own new connection later.
      pending.isUnderWay = true
      this.#messenger.send(pending.to, { sender: this.#sender, number }, pending.sealed)
    }
  }

  #watch(to: MachineAddress): void {
    if (!this.#beats.has(keyOf(to))) this.#beats.set(keyOf(to), { to, unanswered: 0, unheard: 0 })
    this.#timer ??= unowned(() => setInterval(() => this.#beat(), this.#timing.beatMs).unref())
  }

  #beat(): void {
    const waiting = Map.groupBy(this.#pending.keys(), (number) => keyOf(this.#pending.get(number)!.to))
    this.#questions.clear()
    for (const [key, machine] of this.#beats) {
      const calls = waiting.get(key)
      if (!calls) this.#beats.delete(key)
      else if (machine.unanswered >= this.#timing.beats) this.#fail(machine.to, 'it does not respond')
      else {
        machine.unanswered += 1
        const { number, sealed } = this.#seal(machine.to, { say: 'WAITING', calls: calls.slice(0, MAX_NAMED) })
        this.#questions.set(number, machine.to)
        this.#messenger.send(machine.to, { sender: this.#sender, number }, sealed)
      }
    }
    if (this.#beats.size > 0 || !this.#timer) return
    clearInterval(this.#timer)
    this.#timer = null
  }
}

const GONE = 'it is not running'
/** Calls in one question: a message is small. */
const MAX_NAMED = 1_000

/** A later version may say what this one does not know. */
function replyIn(message: Uint8Array): ReplyMessage {
  try {
    return decode(message) as ReplyMessage
  } catch {
    return { say: 'UNKNOWN' }
  }
}

const NO_NATS = 'NATS is not connected, or does not respond'

const keyOf = ({ machineId, epoch }: MachineAddress) => `${machineId} ${epoch}`
