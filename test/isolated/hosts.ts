/** The internet, the network that the server is in, and what a cloud tells its machines. */
export const PUBLIC = '93.184.215.14'
export const PRIVATE = '10.7.7.7'
export const ALLOWED = '10.7.7.9'
export const METADATA = '169.254.169.254'
export const NEIGHBOR = '169.254.7.7'

/** Names in the network of isolated tests, and what they lead to. */
export const ISOLATED_HOSTS = {
  'public.test': PUBLIC,
  'intranet.test': PRIVATE,
  'allowed.test': ALLOWED,
  'ours6.test': 'fd00:7::7',
  'metadata.test': METADATA,
  'neighbor.test': NEIGHBOR,
}
