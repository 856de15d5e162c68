import ipaddr from 'ipaddr.js'

/** A parsed host of a URL. */
export type Host = { kind: 'name'; name: string } | { kind: 'address'; address: NetworkAddress }

export type NetworkAddress = ipaddr.IPv4 | ipaddr.IPv6

/** Rules that no policy overrides. */
export type ForbiddenRule = 'cloud metadata' | 'link-local address'

/** Why an address is not on the public internet. */
export type NonPublicRule = 'loopback address' | 'private address' | 'reserved address'

const LONGEST_NAME = 253
const LONGEST_LABEL = 63

/** Host names of cloud metadata services. */
const METADATA_NAMES = new Set([
  'metadata',
  'metadata.google.internal',
  'metadata.goog',
  'instance-data',
  'instance-data.ec2.internal',
  'metadata.tencentyun.com',
  'metadata.platformequinix.com',
  'metadata.packet.net',
  'api.metadata.cloud.ibm.com',
])

/** Their addresses outside the link-local ranges: Alibaba, Oracle, Azure, Google, Oracle, Scaleway. */
const METADATA_ADDRESSES = new Set([
  '100.100.100.200',
  '192.0.0.192',
  '168.63.129.16',
  'fd20:ce::254',
  'fd00:c1::a9fe:a9fe',
  'fd00:42::42',
])

/** Instance metadata; credentials of AWS's containers and pods. */
const METADATA_LINK_LOCAL = new Set(['169.254.169.254', 'fe80::a9fe:a9fe', '169.254.170.2', '169.254.170.23'])

/** AWS uses this prefix for all of its link-local services: instance metadata, pod credentials, DNS, time. */
const AWS_SERVICES = ipaddr.IPv6.parse('fd00:ec2::')
const AWS_SERVICES_BITS = 32

/**
 * Parses a host in any notation (decimal, octal, hexadecimal and short IPv4; brackets, zone, upper case, Unicode,
 * trailing dot) like the URL standard, so that nothing downstream can interpret it differently. Null if it is not a
 * valid host.
 */
export function parseHost(text: string): Host | null {
  const bare = /^\[(.*)\]$/s.exec(text)?.[1] ?? text
  if (bare.includes(':')) {
    const address = parseAddress(bare)
    return address && { kind: 'address', address }
  }
  // Characters that delimit or escape parts of a URL are not valid in a host.
  if (bare === '' || /[\s/\\?#@%:[\]<>^|]/.test(bare)) return null
  const url = URL.parse(`http://${bare}/`)
  if (!url) return null
  const address = parseAddress(url.hostname)
  if (address) return { kind: 'address', address }
  const name = url.hostname.replace(/\.$/, '')
  return isName(name) ? { kind: 'name', name } : null
}

function isName(name: string): boolean {
  return (
    name.length <= LONGEST_NAME &&
    name.split('.').every((label) => /^[a-z0-9_-]+$/.test(label) && label.length <= LONGEST_LABEL)
  )
}

/** Parses canonical notation. IPv4-mapped IPv6 (::ffff:127.0.0.1) becomes the IPv4 address that the system connects to. */
export function parseAddress(text: string): NetworkAddress | null {
  if (!ipaddr.IPv4.isValidFourPartDecimal(text) && !(text.includes(':') && ipaddr.IPv6.isValid(text))) return null
  return ipaddr.process(text)
}

/** Without the zone, which names a local interface. */
export function formatAddress(address: NetworkAddress): string {
  return address.toString().replace(/%.*$/s, '')
}

export function isMetadataName(name: string): boolean {
  return METADATA_NAMES.has(name)
}

export function forbiddenRule(address: NetworkAddress): ForbiddenRule | null {
  for (const form of formsOf(address)) {
    if (METADATA_ADDRESSES.has(formatAddress(form)) || isOfAws(form) || isMetadataLinkLocal(form))
      return 'cloud metadata'
    if (form.range() === 'linkLocal') return 'link-local address'
  }
  return null
}

/** Null for public addresses. */
export function nonPublicRule(address: NetworkAddress): NonPublicRule | null {
  const own = isTranslated(address) ? null : ownRule(address)
  return (
    own ??
    embeddedIn(address)
      .map(ownRule)
      .find((rule) => rule !== null) ??
    null
  )
}

/**
 * Whether only the embedded IPv4 address matters, because a gateway translates to it: IPv6-only networks reach all of IPv4
 * that way (RFC 6052).
 */
function isTranslated(address: NetworkAddress): boolean {
  return address.kind() === 'ipv6' && CARRIERS.some((carrier) => isCarrier(carrier, address as ipaddr.IPv6))
}

function ownRule(address: NetworkAddress): NonPublicRule | null {
  const range = address.range()
  // On Linux, 0.0.0.0 and :: connect to the local machine.
  if (range === 'loopback' || range === 'unspecified') return 'loopback address'
  // Here rfc6052 can only be a network's own NAT64 prefix.
  if (['private', 'uniqueLocal', 'carrierGradeNat', 'deprecatedSiteLocal', 'rfc6052'].includes(range)) {
    return 'private address'
  }
  return (range === 'unicast' && isAllocated(address)) || range === 'teredo' ? null : 'reserved address'
}

/** The address and the IPv4 addresses embedded in it. */
export function formsOf(address: NetworkAddress): NetworkAddress[] {
  return [address, ...embeddedIn(address)]
}

function isOfAws(address: NetworkAddress): boolean {
  return address.kind() === 'ipv6' && (address as ipaddr.IPv6).match(AWS_SERVICES, AWS_SERVICES_BITS)
}

function isMetadataLinkLocal(address: NetworkAddress): boolean {
  return METADATA_LINK_LOCAL.has(formatAddress(address))
}

/** Only 2000::/3 of IPv6 is allocated for global unicast; ipaddr.js reports the rest as unicast, too. */
function isAllocated(address: NetworkAddress): boolean {
  return address.kind() === 'ipv4' || (address as ipaddr.IPv6).match(ipaddr.IPv6.parse('2000::'), 3)
}

interface Carrier {
  prefix: string
  bits: number
  /** Index of the first of the two parts that contain the IPv4 address. */
  part: number
}

/** IPv4-compatible, -mapped, -translated, NAT64, 6to4. */
const CARRIERS: readonly Carrier[] = [
  { prefix: '::', bits: 96, part: 6 },
  { prefix: '::ffff:0:0', bits: 96, part: 6 },
  { prefix: '::ffff:0:0:0', bits: 96, part: 6 },
  { prefix: '64:ff9b::', bits: 96, part: 6 },
  { prefix: '2002::', bits: 16, part: 1 },
]

function isCarrier({ prefix, bits }: Carrier, address: ipaddr.IPv6): boolean {
  const range = address.range()
  return range !== 'loopback' && range !== 'unspecified' && address.match(ipaddr.IPv6.parse(prefix), bits)
}

function embeddedIn(address: NetworkAddress): ipaddr.IPv4[] {
  if (address.kind() === 'ipv4') return []
  const ipv6 = address as ipaddr.IPv6
  const { parts } = ipv6
  const found = CARRIERS.filter((carrier) => isCarrier(carrier, ipv6)).map(({ part }) => carried(parts, part))
  // Teredo: the server as is, the client with all bits inverted.
  if (ipv6.range() === 'teredo') found.push(carried(parts, 2), carried(parts, 6, 0xff_ff))
  // ISATAP, below any prefix; and a network's own NAT64 prefix, usually of 96 bits (RFC 8215).
  if (parts[5] === 0x5e_fe && (parts[4]! & 0xfd_ff) === 0) found.push(carried(parts, 6))
  if (ipv6.range() === 'rfc6052' && found.length === 0) found.push(carried(parts, 6))
  return found
}

function carried(parts: readonly number[], index: number, mask = 0): ipaddr.IPv4 {
  const [high, low] = [parts[index]! ^ mask, parts[index + 1]! ^ mask]
  return new ipaddr.IPv4([high >> 8, high & 255, low >> 8, low & 255])
}
