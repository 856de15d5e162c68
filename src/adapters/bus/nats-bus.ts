import type { NatsConnection, Subscription } from '@nats-io/transport-node'
import { Deadline } from '../../async/deadline.ts'
import type { NatsConfig } from '../../config.ts'
import { ownedBy, unowned } from '../../fault-owner.ts'
import type { Logger } from '../../logger.ts'
import type { Bus } from '../../ports/machines/bus.ts'
import { InProcessBus } from './in-process.ts'
import { NatsLink, type NatsTiming } from './nats-connection.ts'
import { WakeUpLimiter } from './wake-up-limiter.ts'

/** The number is that of the form of the messages: they are empty, for the subject says it all. */
const SUBJECT = 'tabwire.1.log.'

/** Wake-ups that wait while NATS is away; those beyond are left to the followers' polling. */
const MAX_WAITING = 10_000

const CLOSE_FLUSH_MS = 500

/**
 * Connects to NATS. Rejects with NatsRefused; if no server responds, it resolves and keeps retrying. `share`: is given the
 * connection for other uses.
 */
export async function openNatsBus(
  config: NatsConfig,
  logger: Logger,
  timing?: Partial<NatsTiming>,
  share: (link: NatsLink) => void = () => {},
): Promise<Bus> {
  const link = new NatsLink(config, logger, timing)
  const bus = new NatsBus(link, logger)
  share(link)
  try {
    await bus.open()
    return bus
  } catch (error) {
    await bus.close()
    throw error
  }
}

/**
 * The bus of many machines. Each session has a subject of its own, to which a machine subscribes while somebody there
 * follows the session: NATS then brings each machine what it has readers for, whatever the others log, and drops what
 * nobody follows where it is published. Followers of this process are woken without it.
 *
 * While one flush is under way the next wake-ups gather, once per session, so what waits is bounded by the number of
 * sessions however slow NATS is.
 */
class NatsBus implements Bus {
  readonly #here = new InProcessBus()
  readonly #link: NatsLink
  readonly #logger: Logger
  /** Followed sessions. */
  readonly #followed = new Map<string, Followed>()
  readonly #limiter = new WakeUpLimiter((sessionId) => this.#here.publish(sessionId))
  readonly #waiting = new Set<string>()
  #sending: Promise<void> | null = null
  /** Followers that subscribed since the last confirmation. */
  #unconfirmed = new Set<string>()
  #isConfirming = false
  #isClosing = false

  constructor(link: NatsLink, logger: Logger) {
    this.#logger = logger
    this.#link = link
    link.onConnection((connection) => this.#connected(connection))
  }

  open(): Promise<void> {
    return this.#link.open()
  }

  get problem(): string | null {
    return this.#link.problem
  }

  publish(sessionId: string): void {
    this.#here.publish(sessionId)
    if (this.#waiting.size < MAX_WAITING) this.#waiting.add(sessionId)
    this.#send()
  }

  subscribe(sessionId: string, listener: () => void): () => void {
    const unsubscribeHere = this.#here.subscribe(sessionId, listener)
    let followed = this.#followed.get(sessionId)
    if (!followed) this.#followed.set(sessionId, (followed = { followers: 0, subscription: null }))
    followed.followers += 1
    if (followed.followers === 1 && this.#link.current) this.#follow(this.#link.current, sessionId, followed)
    let isFollowing = true
    return () => {
      if (!isFollowing) return
      isFollowing = false
      unsubscribeHere()
      followed.followers -= 1
      if (followed.followers > 0) return
      this.#followed.delete(sessionId)
      this.#limiter.forget(sessionId)
      followed.subscription?.unsubscribe()
    }
  }

  async close(): Promise<void> {
    this.#isClosing = true
    if (this.#sending) await Deadline.isMet(this.#sending, CLOSE_FLUSH_MS)
    await this.#link.close()
    this.#limiter.close()
    await this.#here.close()
  }

  /** What was committed while there was no connection nobody was told of, so everybody looks. */
  #connected(connection: NatsConnection): void {
    for (const [sessionId, followed] of this.#followed) this.#follow(connection, sessionId, followed)
    this.#send()
  }

  #follow(connection: NatsConnection, sessionId: string, followed: Followed): void {
    const callback = (error: Error | null) => {
      if (!error) this.#limiter.wake(sessionId)
    }
    followed.subscription = ownedBy(this.#link, () => connection.subscribe(`${SUBJECT}${sessionId}`, { callback }))
    this.#unconfirmed.add(sessionId)
    if (!this.#isConfirming) void unowned(() => this.#confirmAll(connection))
  }

  /**
   * A follower reads its log after it has subscribed, but over another connection than that of the subscription, which
   * may arrive later: what was published in between is made up for by a wake-up once NATS has confirmed. Never rejects.
   */
  async #confirmAll(connection: NatsConnection): Promise<void> {
    this.#isConfirming = true
    while (this.#unconfirmed.size > 0 && !connection.isClosed()) {
      const sessionIds = this.#unconfirmed
      this.#unconfirmed = new Set()
      if (!(await this.#flush(connection))) break
      for (const sessionId of sessionIds) if (this.#followed.has(sessionId)) this.#limiter.wake(sessionId)
    }
    this.#isConfirming = false
    // Of a newer connection.
    const { current } = this.#link
    if (this.#unconfirmed.size > 0 && current && current !== connection) await this.#confirmAll(current)
  }

  #send(): void {
    const connection = this.#link.current
    if (!connection || this.#waiting.size === 0 || this.#isClosing) return
    this.#sending ??= unowned(() => this.#sendAll(connection)).finally(() => {
      this.#sending = null
      // There may be a new connection by now.
      if (this.#link.current !== connection) this.#send()
    })
  }

  /** Never rejects. */
  async #sendAll(connection: NatsConnection): Promise<void> {
    while (this.#waiting.size > 0 && this.#link.current === connection) {
      const sessionIds = [...this.#waiting]
      this.#waiting.clear()
      if (await this.#flush(connection, sessionIds)) continue
      for (const sessionId of sessionIds) if (this.#waiting.size < MAX_WAITING) this.#waiting.add(sessionId)
    }
  }

  /** Publishes, and waits until NATS has it. False: the connection ended before. */
  async #flush(connection: NatsConnection, sessionIds: readonly string[] = []): Promise<boolean> {
    try {
      for (const sessionId of sessionIds) connection.publish(`${SUBJECT}${sessionId}`)
      // On a connection that ends, the library leaves a flush pending for good.
      return await Promise.race([connection.flush().then(() => true), connection.closed().then(() => false)])
    } catch (error) {
      this.#logger.debug({ err: error }, 'wake-ups could not be sent')
      return false
    }
  }
}

interface Followed {
  followers: number
  /** Of the connection that is or was the last. */
  subscription: Subscription | null
}
