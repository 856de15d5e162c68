import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { connect, credsAuthenticator, type NatsConnection, type NodeConnectionOptions } from '@nats-io/transport-node'
import { Deadline } from '../../async/deadline.ts'
import type { NatsConfig } from '../../config.ts'
import { ownedBy, unowned, type FaultOwner } from '../../fault-owner.ts'
import type { Logger } from '../../logger.ts'

/** NATS refuses this server's credentials, or they cannot be read: an operator's mistake, which no retry mends. */
export class NatsRefused extends Error {
  override readonly name = 'NatsRefused'
}

export interface NatsTiming {
  /** How long one attempt to connect may take. */
  connectMs: number
  /** Pauses between attempts. */
  firstPauseMs: number
  lastPauseMs: number
  /** A connection without an answer to two of these pings in a row is given up. */
  pingMs: number
}

const NATS_TIMING: NatsTiming = { connectMs: 2_000, firstPauseMs: 100, lastPauseMs: 2_000, pingMs: 3_000 }

const CLOSE_DEADLINE_MS = 1_000

/**
 * One connection to NATS at a time, opened again whenever it ends. The library's own reconnecting is off: it queues what is
 * published meanwhile without a bound, and an attempt of it cannot be ended.
 */
export class NatsLink implements FaultOwner {
  readonly #config: NatsConfig
  readonly #listeners: ((connection: NatsConnection) => void)[] = []
  readonly #logger: Logger
  readonly #timing: NatsTiming
  readonly #closing = new AbortController()
  readonly #firstAttempt = Promise.withResolvers<void>()
  #connection: NatsConnection | null = null
  #problem: string | null = 'NATS is not connected'
  #running: Promise<void> | null = null

  constructor(config: NatsConfig, logger: Logger, timing: Partial<NatsTiming> = {}) {
    this.#config = config
    this.#logger = logger
    this.#timing = { ...NATS_TIMING, ...timing }
  }

  /** Called with each new connection. */
  onConnection(listener: (connection: NatsConnection) => void): void {
    this.#listeners.push(listener)
  }

  /** Null while there is none. */
  get current(): NatsConnection | null {
    return this.#connection
  }

  get problem(): string | null {
    return this.#problem
  }

  /**
   * Resolves after the first attempt, which may have failed: further ones follow. Rejects with NatsRefused where the
   * server did not accept the credentials.
   */
  async open(): Promise<void> {
    this.#running ??= unowned(() => this.#run())
    await this.#firstAttempt.promise
  }

  /** What the library throws where nobody can catch it: the connection is of no use any more. */
  fail(error: unknown): void {
    this.#logger.error({ err: error }, 'a fault in the connection to NATS: it is opened again')
    void this.#connection?.close().catch(() => undefined)
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort()
    const closed = Promise.allSettled([this.#running, this.#connection?.close()])
    await Deadline.isMet(closed, CLOSE_DEADLINE_MS)
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { signal } = this.#closing
    const { firstPauseMs, lastPauseMs } = this.#timing
    let pauseMs = firstPauseMs
    while (!signal.aborted) {
      try {
        const connection = await ownedBy(this, () => this.#connect())
        pauseMs = firstPauseMs
        await this.#use(connection)
      } catch (error) {
        this.#failed(error)
      }
      this.#firstAttempt.resolve()
      // Not all of them at once, when a server that many machines use is back.
      await pause(pauseMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined)
      pauseMs = Math.min(pauseMs * 2, lastPauseMs)
    }
  }

  async #connect(): Promise<NatsConnection> {
    const { servers, user, password, token, credentialsFile, tls } = this.#config
    const options: NodeConnectionOptions = {
      servers: [...servers],
      name: 'tabwire',
      noEcho: true,
      reconnect: false,
      timeout: this.#timing.connectMs,
      pingInterval: this.#timing.pingMs,
      maxPingOut: 2,
      ...(user !== null && { user }),
      ...(password !== null && { pass: password }),
      ...(token !== null && { token }),
      ...(tls && { tls: optionsOfTls(tls) }),
    }
    if (credentialsFile !== null) {
      const credentials = await readFile(credentialsFile).catch((error: unknown) => {
        throw new NatsRefused(`${credentialsFile} cannot be read`, { cause: error })
      })
      options.authenticator = credsAuthenticator(credentials)
    }
    return connect(options)
  }

  /** Until the connection ends. */
  async #use(connection: NatsConnection): Promise<void> {
    if (this.#closing.signal.aborted) return connection.close()
    void this.#watchErrors(connection)
    this.#connection = connection
    for (const listener of this.#listeners) listener(connection)
    if (this.#problem !== null) this.#logger.info({ server: connection.getServer() }, 'NATS is connected')
    this.#problem = null
    this.#firstAttempt.resolve()
    const error = await connection.closed()
    this.#connection = null
    if (this.#closing.signal.aborted) return
    throw error ?? new Error('the connection was closed')
  }

  /** Refusals of single subjects, which end no connection. */
  async #watchErrors(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type !== 'error' || connection !== this.#connection) continue
      this.#logger.error({ reason: status.error.message }, 'NATS refuses what this server asks of it')
      this.#problem = `NATS refuses: ${reasonOf(status.error)}`
    }
  }

  #failed(error: unknown): void {
    const isRefused = error instanceof NatsRefused || (error instanceof Error && error.name === 'AuthorizationError')
    const problem = isRefused
      ? `NATS refuses the credentials: ${reasonOf(error)}`
      : `NATS is not connected: ${reasonOf(error)}`
    if (problem !== this.#problem && !this.#closing.signal.aborted) {
      this.#logger.warn({ reason: reasonOf(error) }, 'NATS is away: wake-ups of other machines arrive by polling')
    }
    this.#problem = problem
    if (isRefused) this.#firstAttempt.reject(new NatsRefused(reasonOf(error), { cause: error }))
  }
}

function optionsOfTls({ caFile, certFile, keyFile }: NonNullable<NatsConfig['tls']>) {
  return { ...(caFile && { caFile }), ...(certFile && { certFile }), ...(keyFile && { keyFile }) }
}

function reasonOf(error: unknown): string {
  const first = error instanceof AggregateError ? (error.errors[0] as unknown) : error
  const text = first instanceof Error ? first.message || first.name : String(first)
  return text.replace(/\s+/g, ' ').replace(/\.$/, '').slice(0, 200)
}
