import type { Protocol } from 'devtools-protocol'
import { SAME_SITE_MODES, TEXT_LIMITS, type RequestCookie, type SameSiteMode } from '../../../../ports/log/log-entry.ts'
import { cutText } from '../../cdp/protocol/cut-text.ts'

/** Cookies of one request, or of its response. */
export interface Cookies {
  list: RequestCookie[]
  /** Number of cookies beyond the limits. */
  omitted: number
}

const NO_COOKIES: Cookies = { list: [], omitted: 0 }
/** Most reasons that are stored for one cookie; browsers have a few dozen. */
const MAX_REASONS = 10
/** The latest valid DateTime. */
const LAST_TIME = Date.UTC(9999, 11, 31)

/** Cookies for a request, as reported by the network process, including blocked ones. */
export function sentCookies(associated: readonly Protocol.Network.AssociatedCookie[] | undefined): Cookies {
  if (!associated || associated.length === 0) return NO_COOKIES
  // Cookies that were sent come first, so that none of them is omitted in favor of a blocked one.
  const wasSent = ({ blockedReasons }: Protocol.Network.AssociatedCookie) => blockedReasons.length === 0
  const sorted = [...associated.filter(wasSent), ...associated.filter((cookie) => !wasSent(cookie))]
  return bounded(sorted, ({ cookie, blockedReasons, exemptionReason }) => ({
    ...ofJar(cookie),
    ...judged(blockedReasons, exemptionReason),
  }))
}

/** Cookies set by a response. For accepted ones, the browser reports only the header. */
export function setCookies(
  header: string | null,
  {
    blockedCookies = [],
    exemptedCookies = [],
  }: Partial<Pick<Protocol.Network.ResponseReceivedExtraInfoEvent, 'blockedCookies' | 'exemptedCookies'>>,
  now: number,
): Cookies {
  if (header === null && blockedCookies.length === 0) return NO_COOKIES
  const blocked = new Map(blockedCookies.map((cookie) => [cookie.cookieLine.trim(), cookie]))
  const exempted = new Map(exemptedCookies.map((cookie) => [cookie.cookieLine.trim(), cookie]))
  const lines = new Set(header?.split('\n').map((line) => line.trim()))
  // Lines missing from the header, which a client that intercepts the response may have replaced.
  for (const line of blocked.keys()) lines.add(line)
  return bounded([...lines], (line) => {
    const reasons = blocked.get(line)
    const known = reasons?.cookie ?? exempted.get(line)?.cookie
    return {
      ...(known ? ofJar(known) : ofLine(line, now)),
      ...judged(reasons?.blockedReasons, exempted.get(line)?.exemptionReason),
    }
  })
}

function bounded<T>(all: readonly T[], cookieOf: (one: T) => RequestCookie): Cookies {
  const list: RequestCookie[] = []
  let size = 0
  for (const one of all) {
    if (list.length === TEXT_LIMITS.cookieCount) break
    const cookie = cookieOf(one)
    size += cookie.name.length + cookie.value.length + (cookie.domain?.length ?? 0) + (cookie.path?.length ?? 0)
    if (size > TEXT_LIMITS.cookies) break
    list.push(cookie)
  }
  return { list, omitted: all.length - list.length }
}

type Judgement = Pick<RequestCookie, 'blockedReasons' | 'exemptionReason'>

function judged(reasons: readonly string[] = [], exemption?: string): Judgement {
  return {
    blockedReasons: reasons.slice(0, MAX_REASONS).map((reason) => cutText(reason, TEXT_LIMITS.cookieAttribute)),
    exemptionReason:
      exemption === undefined || exemption === 'None' ? null : cutText(exemption, TEXT_LIMITS.cookieAttribute),
  }
}

function ofJar(cookie: Protocol.Network.Cookie): Omit<RequestCookie, keyof Judgement> {
  return {
    name: cutText(cookie.name, TEXT_LIMITS.cookieName),
    value: cutText(cookie.value, TEXT_LIMITS.cookieValue),
    domain: cutText(cookie.domain, TEXT_LIMITS.cookieAttribute),
    path: cutText(cookie.path, TEXT_LIMITS.cookieAttribute),
    expiresAt: cookie.expires >= 0 ? timeOf(cookie.expires * 1000) : null,
    httpOnly: cookie.httpOnly,
    secure: cookie.secure,
    sameSite: sameSiteOf(cookie.sameSite),
  }
}

/** A Set-Cookie header. */
function ofLine(line: string, now: number): Omit<RequestCookie, keyof Judgement> {
  const [pair = '', ...rest] = line.split(';')
  const equals = pair.indexOf('=')
  const attributes = new Map(
    rest.map((attribute) => {
      const [name = '', ...value] = attribute.split('=')
      return [name.trim().toLowerCase(), value.join('=').trim()]
    }),
  )
  const maxAge = Number(attributes.get('max-age') || Number.NaN)
  const expires = Number.isNaN(maxAge) ? Date.parse(attributes.get('expires') ?? '') : now + maxAge * 1000
  const attribute = (name: string) => {
    const value = attributes.get(name)
    return value ? cutText(value, TEXT_LIMITS.cookieAttribute) : null
  }
  return {
    // A cookie without "=" has no name.
    name: cutText(equals < 0 ? '' : pair.slice(0, equals).trim(), TEXT_LIMITS.cookieName),
    value: cutText(pair.slice(equals + 1).trim(), TEXT_LIMITS.cookieValue),
    domain: attribute('domain'),
    path: attribute('path'),
    expiresAt: Number.isNaN(expires) ? null : timeOf(expires),
    httpOnly: attributes.has('httponly'),
    secure: attributes.has('secure'),
    sameSite: sameSiteOf(attributes.get('samesite')),
  }
}

const timeOf = (milliseconds: number) => Math.round(Math.min(Math.max(0, milliseconds), LAST_TIME))

function sameSiteOf(mode: string | undefined): SameSiteMode | null {
  return SAME_SITE_MODES.find((one) => one === mode?.toUpperCase()) ?? null
}
