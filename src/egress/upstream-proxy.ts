import type { UpstreamProxy } from '../ports/egress/egress.ts'
import { formatAddress, parseHost } from './network-address.ts'

const LONGEST = 2_000
/** RFC 1929 encodes each length in one byte. */
const LONGEST_SOCKS_CREDENTIAL = 255

const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443, 'socks5:': 1080 }

type UpstreamScheme = 'http' | 'https' | 'socks5'

/** The parts of an upstream proxy's URL. */
export interface UpstreamParts {
  scheme: UpstreamScheme
  /** A name or an address, without brackets. */
  host: string
  port: number
  /** Both empty: no credentials. */
  username: string
  password: string
}

/** The proxy or the problem, which never repeats the URL, since it may contain a password. */
export type UpstreamReading = { proxy: UpstreamProxy; problem: null } | { proxy: null; problem: string }

const FORM = 'must be a URL such as http://user:password@proxy.example:3128; http, https and socks5 are supported'

export function readUpstreamProxy(url: string): UpstreamReading {
  const parts = url.length > LONGEST ? `must have at most ${LONGEST} characters` : parse(url)
  return typeof parts === 'string' ? { proxy: null, problem: parts } : { proxy: { url }, problem: null }
}

/** Requires a URL that `readUpstreamProxy` accepted. */
export function upstreamParts({ url }: UpstreamProxy): UpstreamParts {
  const parts = parse(url)
  if (typeof parts === 'string') throw new Error(parts)
  return parts
}

/** The URL without credentials. */
export function describeUpstream(proxy: UpstreamProxy): string {
  const { scheme, host, port } = upstreamParts(proxy)
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`
}

function parse(text: string): UpstreamParts | string {
  const url = URL.parse(text)
  if (!url) return FORM
  const defaultPort = DEFAULT_PORTS[url.protocol]
  if (defaultPort === undefined) return FORM
  if (!['', '/'].includes(url.pathname) || url.search !== '' || url.hash !== '') {
    return 'must end after the host and the port'
  }
  const host = parseHost(decode(url.hostname) ?? '')
  if (!host) return FORM
  const [username, password] = [decode(url.username), decode(url.password)]
  if (username === null || password === null) return 'must have a user name and a password in valid percent-encoding'
  if (/[\0\r\n]/.test(username + password)) return 'must have a user name and a password without line breaks'
  const scheme = url.protocol.slice(0, -1) as UpstreamScheme
  if (scheme === 'socks5') {
    if ([username, password].some((part) => Buffer.byteLength(part) > LONGEST_SOCKS_CREDENTIAL)) {
      return `must have a user name and a password of at most ${LONGEST_SOCKS_CREDENTIAL} bytes each for socks5`
    }
  } else if (username.includes(':')) return 'must have a user name without a colon'
  return {
    scheme,
    host: host.kind === 'name' ? host.name : formatAddress(host.address),
    port: url.port === '' ? defaultPort : Number(url.port),
    username,
    password,
  }
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}
