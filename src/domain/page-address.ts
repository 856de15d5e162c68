import ipaddr from 'ipaddr.js'

/** Names and addresses at which clouds hand out a machine's credentials; never a page that someone wants to see. */
const METADATA_HOSTS = new Set([
  'metadata',
  'metadata.google.internal',
  'metadata.goog',
  'instance-data',
  'instance-data.ec2.internal',
  '100.100.100.200',
  '192.0.0.192',
  '168.63.129.16',
  'fd00:ec2::254',
  'fd20:ce::254',
])

/**
 * Why a page address is refused, or null if a session may open it. Only http and https: `file:`, `chrome:`,
 * `view-source:` and the like would show the server's machine, and link-local and cloud metadata addresses its
 * credentials. Spelling tricks (decimal, hexadecimal, IPv4 in IPv6) are undone by the URL parser and ipaddr.js.
 */
export function refusePageAddress(address: string): string | null {
  if (!URL.canParse(address)) return 'must be a complete http:// or https:// URL'
  const url = new URL(address)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return `must be an http:// or https:// URL; ${url.protocol} is never opened`
  }
  const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.+$/, '')
  return isMetadataHost(host) ? 'is the address of a cloud metadata service, which is never opened' : null
}

function isMetadataHost(host: string): boolean {
  if (METADATA_HOSTS.has(host)) return true
  if (!ipaddr.isValid(host)) return false
  const address = ipaddr.process(host)
  return METADATA_HOSTS.has(address.toString()) || address.range() === 'linkLocal' || isEmbeddedLinkLocal(address)
}

/** NAT64, 6to4 and the old IPv4-compatible form carry an IPv4 address inside an IPv6 one. */
function isEmbeddedLinkLocal(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  if (address.kind() !== 'ipv6') return false
  const parts = (address as ipaddr.IPv6).parts
  const range = address.range()
  const isCompatible = parts.slice(0, 6).every((part) => part === 0)
  const offset = range === 'rfc6052' || isCompatible ? 6 : range === '6to4' ? 1 : null
  if (offset === null) return false
  const [high = 0, low = 0] = parts.slice(offset, offset + 2)
  const inner = [high >> 8, high & 255, low >> 8, low & 255].join('.')
  return isMetadataHost(inner)
}
