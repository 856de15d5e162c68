import ipaddr from 'ipaddr.js'
import type { HostRule } from '../ports/egress/egress.ts'
import { formatAddress, formsOf, parseAddress, parseHost, type NetworkAddress } from './network-address.ts'

/** Longer than any host name with a port. */
const LONGEST_HOST_RULE = 300

/** The names or addresses that a rule covers. */
type Target = { kind: 'name'; name: string; below: boolean } | { kind: 'block'; network: NetworkAddress; bits: number }

interface ParsedRule {
  target: Target
  /** Null: every port. */
  port: number | null
}

/** The normalized rule or the problem. */
export type HostRuleReading = { rule: HostRule; problem: null } | { rule: null; problem: string }

const FORMS =
  'must be a host name (example.com, *.example.com), an IP address or a CIDR block, each with an optional :port'

/** Reads `example.com`, `*.example.com:443`, `10.0.0.0/8`, `192.0.2.1:80`, `fd00::/8`, `[::1]:8080`. */
export function readHostRule(text: string): HostRuleReading {
  if (text.length > LONGEST_HOST_RULE) {
    return { rule: null, problem: `must have at most ${LONGEST_HOST_RULE} characters` }
  }
  const parsed = parseRule(text.trim())
  return typeof parsed === 'string' ? { rule: null, problem: parsed } : { rule: formatRule(parsed), problem: null }
}

/** Matches normalized rules; one that does not parse covers nothing. */
export class HostRules {
  readonly #names = new Map<string, ParsedRule[]>()
  readonly #namesAbove = new Map<string, ParsedRule[]>()
  readonly #blocks: { network: NetworkAddress; bits: number; port: number | null }[] = []

  constructor(rules: readonly HostRule[]) {
    for (const rule of rules) {
      const parsed = parseRule(rule)
      if (typeof parsed === 'string') continue
      const { target, port } = parsed
      if (target.kind === 'block') {
        this.#blocks.push({ network: target.network, bits: target.bits, port })
      } else {
        const names = target.below ? this.#namesAbove : this.#names
        names.set(target.name, [...(names.get(target.name) ?? []), parsed])
      }
    }
  }

  /** Whether any rule is an address or a CIDR block. */
  get hasAddresses(): boolean {
    return this.#blocks.length > 0
  }

  coversName(name: string, port: number): boolean {
    const isFor = (rules: ParsedRule[] | undefined) => rules?.some((rule) => rule.port === null || rule.port === port)
    if (isFor(this.#names.get(name))) return true
    const labels = name.split('.')
    return labels.some((_, index) => index > 0 && isFor(this.#namesAbove.get(labels.slice(index).join('.'))))
  }

  coversAddress(address: NetworkAddress, port: number): boolean {
    return formsOf(address).some((form) =>
      this.#blocks.some(
        (block) => (block.port === null || block.port === port) && isWithin(form, block.network, block.bits),
      ),
    )
  }
}

function isWithin(address: NetworkAddress, network: NetworkAddress, bits: number): boolean {
  if (address.kind() !== network.kind()) return false
  return address.kind() === 'ipv4'
    ? (address as ipaddr.IPv4).match(network, bits)
    : (address as ipaddr.IPv6).match(network, bits)
}

function parseRule(text: string): ParsedRule | string {
  if (text.includes('://')) return `${FORMS}; not a URL`
  const { host, port } = splitPort(text)
  if (port !== null && (port < 1 || port > 65_535)) return 'must have a port from 1 to 65535'
  const target = host.includes('/') ? parseBlock(host) : parseTarget(host)
  return target ? { target, port } : FORMS
}

/** A port after an IPv6 address requires brackets. */
function splitPort(text: string): { host: string; port: number | null } {
  const match = /^\[([^\]]*)\](?::(\d{1,6}))?$/.exec(text) ?? /^([^:]*):(\d{1,6})$/.exec(text)
  if (!match) return { host: text, port: null }
  return { host: match[1]!, port: match[2] === undefined ? null : Number(match[2]) }
}

function parseBlock(text: string): Target | null {
  const [base = '', length = '', ...more] = text.split('/')
  const address = parseAddress(base)
  if (!address || more.length > 0 || !/^\d{1,3}$/.test(length)) return null
  // An IPv4-mapped block such as ::ffff:10.0.0.0/104 becomes an IPv4 block.
  const bits = Number(length) - (base.includes(':') && address.kind() === 'ipv4' ? 96 : 0)
  if (bits < 0 || bits > (address.kind() === 'ipv4' ? 32 : 128)) return null
  return { kind: 'block', network: networkOf(address, bits), bits }
}

function networkOf(address: NetworkAddress, bits: number): NetworkAddress {
  const cidr = `${formatAddress(address)}/${bits}`
  return address.kind() === 'ipv4' ? ipaddr.IPv4.networkAddressFromCIDR(cidr) : ipaddr.IPv6.networkAddressFromCIDR(cidr)
}

function parseTarget(text: string): Target | null {
  const below = text.startsWith('*.')
  const host = parseHost(below ? text.slice(2) : text)
  if (!host || text.includes('%')) return null
  if (host.kind === 'name') return { kind: 'name', name: host.name, below }
  if (below) return null
  return { kind: 'block', network: host.address, bits: host.address.kind() === 'ipv4' ? 32 : 128 }
}

function formatRule({ target, port }: ParsedRule): HostRule {
  const suffix = port === null ? '' : `:${port}`
  if (target.kind === 'name') return `${target.below ? '*.' : ''}${target.name}${suffix}`
  const { network, bits } = target
  const isWhole = bits === (network.kind() === 'ipv4' ? 32 : 128)
  const block = `${formatAddress(network)}${isWhole ? '' : `/${bits}`}`
  return suffix && network.kind() === 'ipv6' ? `[${block}]${suffix}` : `${block}${suffix}`
}
