/** The process of a machine that sessions were started in, for as long as it keeps its lease. */
export interface MachineAddress {
  machineId: string
  epoch: number
}

/** A message to a machine has a number, under which its sender receives the reply. */
export interface MessageId {
  /** Names a process. */
  sender: string
  number: number
}

/**
 * Small messages between machines. They may be lost, repeated, made up and read by others; those of one sender to one
 * machine arrive in their order. Calls never throw.
 */
export interface Messenger {
  /** Largest message. */
  readonly maxBytes: number
  /** False: it was not sent, for there is no connection, or it takes nothing now. */
  send(to: MachineAddress, id: MessageId, message: Uint8Array): boolean
  reply(to: MessageId, message: Uint8Array): boolean
  /** Receives the messages to this machine, until the returned function is called. */
  receive(at: MachineAddress, listener: (message: Uint8Array) => void): () => void
  /** Receives the replies to a sender, until the returned function is called. */
  receiveReplies(sender: string, listener: ReplyListener): () => void
}

/** Must not throw. */
export interface ReplyListener {
  replied(number: number, message: Uint8Array): void
  /** Nobody receives messages at that address. */
  unheard(number: number): void
  /** There is a new connection: messages under way over the last one may be lost. */
  connected(): void
}

/** A connection between two machines that carries one call: both are who they say, and messages arrive once, in order. */
export interface MachineChannel {
  /** Never throws; after the end, nothing is sent. */
  send(message: Uint8Array): void
  /** Bytes that are buffered for sending. */
  readonly unsentBytes: number
  /** Call once, at once: earlier messages are delivered then. The listener must not throw. */
  onMessage(listener: (message: Uint8Array) => void): void
  /** Calls back each time everything was sent. */
  onDrain(listener: () => void): void
  /** Resolves at the end, from either side. */
  readonly closed: Promise<void>
  /** What was sent before is delivered, unless the other side takes too long. Idempotent. */
  close(): void
}

/** This side's part in proving to each other that both have the secret of the installation. */
export interface MachineHandshake {
  /** Of the request for a challenge. */
  readonly query: Readonly<Record<string, string>>
  /** The credentials of the connection, from the response. Null: the other side is not the machine. */
  authorize(challenge: unknown): string | null
}

/** Opens connections to machines. */
export interface MachineDialer {
  /** `url`: the internal URL of the machine. Rejects with any error if it cannot be opened, within some seconds. */
  open(url: string, handshake: MachineHandshake): Promise<MachineChannel>
}
