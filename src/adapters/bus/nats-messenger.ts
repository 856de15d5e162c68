import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node'
import { ownedBy, unowned } from '../../fault-owner.ts'
import type { Logger } from '../../logger.ts'
import type { MachineAddress, MessageId, Messenger, ReplyListener } from '../../ports/machines/machine-link.ts'
import type { NatsLink } from './nats-connection.ts'

/** The number is that of how subjects and messages are used; what is in a message has a version of its own. */
const CALLS = 'tabwire.1.call.'
const REPLIES = 'tabwire.1.reply.'

/** The status of NATS's own reply to a message to a subject that nobody has subscribed to. */
const NO_RESPONDERS = 503

/** Messages beyond are not sent until NATS has taken some. */
const MAX_UNCONFIRMED_BYTES = 16 * 1024 * 1024

/** What a server of NATS accepts unless it is configured otherwise. */
const USUAL_MAX_BYTES = 1024 * 1024

/** Messages between machines over NATS: a process of a machine has one subject, and a sender has one for its replies. */
export class NatsMessenger implements Messenger {
  readonly #link: NatsLink
  readonly #logger: Logger
  readonly #receivers = new Set<Receiver>()
  /** Of the current connection: what NATS has not confirmed. */
  #unconfirmedBytes = 0
  #isConfirming = false

  constructor(link: NatsLink, logger: Logger) {
    this.#link = link
    this.#logger = logger
    link.onConnection((connection) => {
      this.#unconfirmedBytes = 0
      this.#isConfirming = false
      for (const receiver of this.#receivers) this.#subscribe(connection, receiver)
      for (const receiver of this.#receivers) receiver.connected()
    })
  }

  get maxBytes(): number {
    return this.#link.current?.info?.max_payload ?? USUAL_MAX_BYTES
  }

  send(to: MachineAddress, { sender, number }: MessageId, message: Uint8Array): boolean {
    return this.#publish(`${CALLS}${subjectOf(to)}`, message, `${REPLIES}${sender}.${number}`)
  }

  reply({ sender, number }: MessageId, message: Uint8Array): boolean {
    return this.#publish(`${REPLIES}${sender}.${number}`, message)
  }

  receive(at: MachineAddress, listener: (message: Uint8Array) => void): () => void {
    const hear = ({ data }: Msg) => listener(data)
    return this.#add({ subject: `${CALLS}${subjectOf(at)}`, hear, connected: () => {}, subscription: null })
  }

  receiveReplies(sender: string, listener: ReplyListener): () => void {
    const hear = (message: Msg) => {
      const number = Number(message.subject.slice(message.subject.lastIndexOf('.') + 1))
      if (message.data.length === 0 && message.headers?.code === NO_RESPONDERS) listener.unheard(number)
      else listener.replied(number, message.data)
    }
    const connected = () => listener.connected()
    return this.#add({ subject: `${REPLIES}${sender}.*`, hear, connected, subscription: null })
  }

  #publish(subject: string, message: Uint8Array, reply?: string): boolean {
    const connection = this.#link.current
    // The library buffers what a server that hangs does not take.
    if (!connection || this.#unconfirmedBytes > MAX_UNCONFIRMED_BYTES) return false
    try {
      connection.publish(subject, message, reply === undefined ? {} : { reply })
      this.#unconfirmedBytes += message.byteLength
      if (!this.#isConfirming) void unowned(() => this.#confirm(connection))
      return true
    } catch (error) {
      this.#logger.debug({ err: error }, 'a message to another machine could not be sent')
      return false
    }
  }

  /** Never rejects. */
  async #confirm(connection: NatsConnection): Promise<void> {
    this.#isConfirming = true
    while (this.#unconfirmedBytes > 0 && this.#link.current === connection) {
      const bytes = this.#unconfirmedBytes
      // On a connection that ends, the library leaves a flush pending for good.
      const flushed = connection.flush().then(
        () => true,
        () => false,
      )
      const isConfirmed = await Promise.race([flushed, connection.closed().then(() => false)])
      if (this.#link.current !== connection) return
      if (!isConfirmed) break
      this.#unconfirmedBytes -= bytes
    }
    this.#isConfirming = false
  }

  #add(receiver: Receiver): () => void {
    this.#receivers.add(receiver)
    const connection = this.#link.current
    if (connection) this.#subscribe(connection, receiver)
    return () => {
      this.#receivers.delete(receiver)
      receiver.subscription?.unsubscribe()
    }
  }

  #subscribe(connection: NatsConnection, receiver: Receiver): void {
    const callback = (error: Error | null, message: Msg) => {
      if (!error) receiver.hear(message)
    }
    receiver.subscription = ownedBy(this.#link, () => connection.subscribe(receiver.subject, { callback }))
  }
}

interface Receiver {
  readonly subject: string
  hear(message: Msg): void
  connected(): void
  /** Of the connection that is or was the last. */
  subscription: Subscription | null
}

/** A machine id is a UUID. */
const subjectOf = ({ machineId, epoch }: MachineAddress) => `${machineId}.${epoch}`
