import type { ConnectionFailure, ConnectionOutcome, EgressMode, EgressPolicy } from '../../../ports/egress/egress.ts'
import { parseHost, formatAddress } from '../../../egress/network-address.ts'
import { refusingRule } from '../../../egress/refusal.ts'
import type { CdpResponse } from '../cdp/protocol/cdp-events.ts'
import { SocketEnds } from './socket-ends.ts'

/** How long after the browser reported a failure the proxy's outcome may arrive. */
const LATE_OUTCOME_MS = 2_000
/** The same if the browser's error may be the real one. */
const LATE_RESET_MS = 250
/** A request may be reported a moment after its connection was started. */
const EARLY_MS = 250
/** Most hosts, and connections, that are remembered. */
const MAX_HOSTS = 2_000
const MAX_OF_HOST = 20
const MAX_CONNECTIONS = 2_000
/** Most failures that wait for their reason at a time; a page may cause any number. */
const MAX_WAITING = 1_000

/** The browser's errors for a connection that our proxy did not make, for any reason. */
const PROXY_ERROR = /net::ERR_(?:SOCKS_CONNECTION_FAILED|SOCKS_CONNECTION_HOST_UNREACHABLE|PROXY_CONNECTION_FAILED)/
/**
 * The browser's errors for a connection that failed after the proxy had reported success: only the first bytes show how
 * to use the user's upstream proxy.
 */
const RESET = /net::ERR_(?:CONNECTION_RESET|CONNECTION_CLOSED|EMPTY_RESPONSE)/
const PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'ws:': 80, 'https:': 443, 'wss:': 443 }

const EVERYTHING: EgressPolicy = { mode: 'OPEN', allow: [], allowedHosts: null, upstream: null }

interface Waiting {
  key: string
  since: number
  settle(failure: ConnectionFailure | null): void
  /** There may be no better text than the browser's. */
  mayBeNone: boolean
  timer: NodeJS.Timeout
}

/** The failure of a request that was rejected by a rule of ours. */
export const blockedBy = (rule: string): `BLOCKED (${string})` => `BLOCKED (${rule})`

/** As logged: the browser's error without a proxy. */
const textOf = ({ code, rule, netError }: ConnectionFailure) =>
  code === 'BLOCKED' ? blockedBy(rule ?? 'egress') : netError

/**
 * Outcomes of the connections of one browser, as reported by its proxy. Behind a proxy the browser knows neither the
 * remote address nor why a connection failed; so recorders look it up here, by host, port and time.
 */
export class ConnectionOutcomes {
  readonly mode: EgressMode
  readonly webSockets: SocketEnds
  readonly #policy: EgressPolicy
  readonly #proxyPort: number | null
  readonly #hidden: readonly RegExp[]
  readonly #failed = new Map<string, ConnectionOutcome[]>()
  readonly #made = new Map<string, ConnectionOutcome[]>()
  /** By the browser's connection id. */
  readonly #claimed = new Map<number, ConnectionOutcome>()
  readonly #waiting = new Set<Waiting>()

  /** `proxyPort`: port of the browser's proxy on this machine; null: it has none, and its reports are accurate. */
  constructor(proxyPort: number | null, policy: EgressPolicy = EVERYTHING) {
    const { mode, upstream } = policy
    this.#policy = policy
    this.#proxyPort = proxyPort
    this.#hidden = proxyPort === null ? [] : upstream ? [PROXY_ERROR, RESET] : [PROXY_ERROR]
    this.mode = mode
    this.webSockets = new SocketEnds(proxyPort !== null)
  }

  received(outcome: ConnectionOutcome): void {
    const key = keyOf(hostOf(outcome.host), outcome.port)
    keep(outcome.failure ? this.#failed : this.#made, key, outcome)
    if (!outcome.failure) return
    for (const waiting of this.#waiting) {
      if (waiting.key === key && outcome.endedAt >= waiting.since) this.#settle(waiting, outcome.failure)
    }
  }

  /** The rule that rejects a URL as such, before any connection; null: none. */
  refusingRule(url: URL): string | null {
    return refusingRule(url, this.#policy)
  }

  /** Whether the browser's text hides the actual failure. */
  isHidden(text: string): boolean {
    return this.#hidden.some((words) => words.test(text))
  }

  /**
   * Calls back with the text, corrected by what only the proxy knows: at once if that is known or nothing is hidden,
   * otherwise as soon as the proxy has reported it, within a bound. `since`: when the request began.
   */
  explain(text: string, url: string, since: number, done: (text: string) => void): void {
    const words = this.#hidden.find((hidden) => hidden.test(text))
    if (!words) return done(text)
    this.#failureOf(words, url, since, (failure) => done(failure ? text.replace(words, textOf(failure)) : text))
  }

  /** Why a connection failed for which the browser reports this text; null: for no reason known to the proxy. */
  failureOf(text: string, url: string, since: number): Promise<ConnectionFailure | null> {
    const words = this.#hidden.find((hidden) => hidden.test(text))
    if (!words) return Promise.resolve(null)
    return new Promise((resolve) => this.#failureOf(words, url, since, resolve))
  }

  /**
   * Adds the remote address and the name resolution's share of the connection time to the browser's report of a
   * response: in place, so that all listeners of the event get it. `sentAt`: when the request began. `sentTo`: the URL to
   * which a client had it sent; null: its own. Returns whether it is complete; otherwise the proxy has not reported yet,
   * and `amendLate` may know.
   */
  amend(response: CdpResponse, sentAt: number, sentTimestamp: number, sentTo: string | null = null): boolean {
    const isProxy = response.remotePort === this.#proxyPort && response.remoteIPAddress === '127.0.0.1'
    return this.#proxyPort === null || !isProxy || this.amendLate(response, sentAt, sentTimestamp, sentTo)
  }

  /** Like `amend`, for a response for which the report came later. */
  amendLate(response: CdpResponse, sentAt: number, sentTimestamp: number, sentTo: string | null = null): boolean {
    const { timing, url, connectionId } = response
    const connects = timing !== undefined && timing.connectStart >= 0 && response.connectionReused !== true
    const startedAt = connects ? sentAt + (timing.requestTime - sentTimestamp) * 1000 + timing.connectStart : null
    const outcome = this.#outcomeOf(sentTo ?? url, connectionId, startedAt)
    // Behind an upstream proxy of the user, it is unknown.
    response.remoteIPAddress = outcome?.peer ? bracketed(outcome.peer.address) : ''
    response.remotePort = outcome?.peer?.port ?? 0
    if (!outcome) return false
    if (!connects) return true
    const { dnsMs } = outcome
    timing.dnsStart = dnsMs === null ? -1 : timing.connectStart
    timing.dnsEnd = dnsMs === null ? -1 : Math.min(timing.connectStart + dnsMs, timing.connectEnd)
    timing.connectStart = dnsMs === null ? timing.connectStart : timing.dnsEnd
    return true
  }

  /** Stops waiting: pending callbacks get what is known by now. */
  settle(): void {
    for (const waiting of this.#waiting) this.#giveUp(waiting)
    this.webSockets.settle()
  }

  #failureOf(words: RegExp, url: string, since: number, settle: Waiting['settle']): void {
    const key = keyOfUrl(url)
    if (key === null) return settle(null)
    const from = since - EARLY_MS
    const known = this.#failed.get(key)?.findLast(({ endedAt }) => endedAt >= from)
    if (known) return settle(known.failure)
    const waiting: Waiting = {
      key,
      since: from,
      settle,
      mayBeNone: words === RESET,
      timer: setTimeout(() => this.#giveUp(waiting), words === RESET ? LATE_RESET_MS : LATE_OUTCOME_MS),
    }
    this.#waiting.add(waiting)
    if (this.#waiting.size > MAX_WAITING) this.#giveUp(waiting)
  }

  #settle(waiting: Waiting, failure: ConnectionFailure | null): void {
    if (!this.#waiting.delete(waiting)) return
    clearTimeout(waiting.timer)
    waiting.settle(failure)
  }

  /** The host's previous failure is the most likely reason, if there is one. */
  #giveUp(waiting: Waiting): void {
    const last = this.#failed.get(waiting.key)?.at(-1)
    this.#settle(waiting, waiting.mayBeNone ? null : (last?.failure ?? null))
  }

  /**
   * The connection of a response; `startedAt`: when the browser began to open it, if it was opened for this request.
   */
  #outcomeOf(url: string, connectionId: number | undefined, startedAt: number | null): ConnectionOutcome | null {
    const claimed = connectionId === undefined ? undefined : this.#claimed.get(connectionId)
    if (claimed) return claimed
    const key = keyOfUrl(url)
    const made = (key === null ? undefined : this.#made.get(key)) ?? []
    const outcome =
      startedAt === null
        ? made.at(-1)
        : made.toSorted((one, other) => Math.abs(one.startedAt - startedAt) - Math.abs(other.startedAt - startedAt))[0]
    if (!outcome) return null
    if (connectionId !== undefined && connectionId !== 0) {
      this.#claimed.set(connectionId, outcome)
      dropOldest(this.#claimed, MAX_CONNECTIONS)
    }
    return outcome
  }
}

function keep(map: Map<string, ConnectionOutcome[]>, key: string, outcome: ConnectionOutcome): void {
  const outcomes = map.get(key) ?? []
  map.delete(key)
  outcomes.push(outcome)
  if (outcomes.length > MAX_OF_HOST) outcomes.shift()
  map.set(key, outcomes)
  dropOldest(map, MAX_HOSTS)
}

function dropOldest(map: Map<unknown, unknown>, most: number): void {
  const [oldest] = map.keys()
  if (oldest !== undefined && map.size > most) map.delete(oldest)
}

const keyOf = (host: string, port: number) => `${host}:${port}`

function keyOfUrl(url: string): string | null {
  const parsed = URL.parse(url)
  if (!parsed) return null
  const port = parsed.port === '' ? PORTS[parsed.protocol] : Number(parsed.port)
  return port === undefined ? null : keyOf(hostOf(parsed.hostname), port)
}

/** Normalizes the spelling. */
function hostOf(text: string): string {
  const host = parseHost(text.replace(/\.+$/, ''))
  if (!host) return text
  return host.kind === 'name' ? host.name : formatAddress(host.address)
}

/** An address in the browser's spelling. */
const bracketed = (address: string) => (address.includes(':') ? `[${address}]` : address)
