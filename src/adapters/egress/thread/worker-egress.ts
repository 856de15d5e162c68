import { AsyncLocalStorage } from 'node:async_hooks'
import type { Logger } from '../../../logger.ts'
import type { EgressProxies, EgressProxy } from '../../../ports/egress/egress.ts'
import { EGRESS_LIMITS, type EgressLimits } from '../proxy/egress-context.ts'
import { EgressThread, THREAD_TIMING, type ThreadTiming } from './egress-thread.ts'
import { EgressUnavailable, ProxyHandle } from './proxy-handle.ts'
import type { EgressWorkerData, WorkerReport, ToWorker } from './worker-messages.ts'

/** Overrides of the defaults; for tests. */
export interface WorkerEgressOptions {
  limits?: Partial<EgressLimits>
  timing?: ThreadTiming
  /** Addresses with ports, as dns.setServers takes them. */
  dnsServers?: readonly string[]
  hostsPath?: string
  resolvConfPath?: string
  /** Addresses and CIDR blocks of the machine. */
  ownAddresses?: readonly string[]
  upstreamCa?: string
}

const FIRST_DELAY_MS = 100
const LAST_DELAY_MS = 5_000
/** A thread that lived this long resets the restart delay. */
const STABLE_MS = 30_000

/**
 * Egress proxies in one worker thread, which is started on first use. If it ends or hangs, another one takes over with the
 * same ports and policies; until then browsers reach nothing.
 */
export class WorkerEgress implements EgressProxies {
  readonly #workerData: EgressWorkerData
  readonly #timing: ThreadTiming
  readonly #logger: Logger
  readonly #proxies = new Map<number, ProxyHandle>()
  /** The thread must not belong to the fault owner that happens to open the first proxy. */
  readonly #outsideOwners = AsyncLocalStorage.snapshot()
  #thread: EgressThread | null = null
  #startedAt = 0
  #restart: NodeJS.Timeout | null = null
  #delayMs = FIRST_DELAY_MS
  #lastId = 0
  #closing: Promise<void> | null = null

  constructor(logger: Logger, options: WorkerEgressOptions = {}) {
    this.#logger = logger
    this.#timing = options.timing ?? THREAD_TIMING
    this.#workerData = {
      limits: { ...EGRESS_LIMITS, ...options.limits },
      dnsServers: options.dnsServers ?? null,
      hostsPath: options.hostsPath ?? '/etc/hosts',
      resolvConfPath: options.resolvConfPath ?? '/etc/resolv.conf',
      ownAddresses: options.ownAddresses ?? null,
      upstreamCa: options.upstreamCa,
    }
  }

  /** Rejects with EgressUnavailable. */
  async open(): Promise<EgressProxy> {
    if (this.#closing) throw new EgressUnavailable('the server is shutting down')
    const id = (this.#lastId += 1)
    const handle = new ProxyHandle(
      id,
      (message) => this.#post(message),
      () => this.#proxies.delete(id),
    )
    this.#proxies.set(id, handle)
    try {
      const opened = handle.opened()
      if (this.#thread) handle.replay()
      else if (!this.#restart) this.#start()
      await opened
      return handle
    } catch (error) {
      this.#thread?.post({ kind: 'close', id })
      this.#proxies.delete(id)
      throw error
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    if (this.#restart) clearTimeout(this.#restart)
    for (const handle of this.#proxies.values()) handle.abandon()
    await this.#thread?.terminate('it was closed')
    this.#proxies.clear()
  }

  #post(message: ToWorker): boolean {
    this.#thread?.post(message)
    return this.#thread !== null
  }

  #start(): void {
    this.#restart = null
    this.#startedAt = performance.now()
    const thread = this.#outsideOwners(
      () => new EgressThread(this.#workerData, this.#timing, (message) => this.#receive(message)),
    )
    this.#thread = thread
    for (const handle of this.#proxies.values()) handle.replay()
    void thread.ended.then((reason) => this.#ended(reason))
  }

  #receive(message: WorkerReport): void {
    if (message.kind !== 'pong') this.#proxies.get(message.id)?.receive(message)
  }

  #ended(reason: string): void {
    this.#thread = null
    for (const handle of this.#proxies.values()) handle.threadEnded()
    if (this.#closing) return
    this.#logger.error({ reason }, 'the thread of the egress proxies ended; pages reach nothing until it is back')
    const lived = performance.now() - this.#startedAt
    this.#delayMs = lived > STABLE_MS ? FIRST_DELAY_MS : Math.min(this.#delayMs * 2, LAST_DELAY_MS)
    this.#restart = setTimeout(() => this.#start(), this.#delayMs)
  }
}
