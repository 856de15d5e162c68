/** The internet, the network that the server is in, and what a cloud tells its machines. */
export const PUBLIC = '93.184.215.14'
/** A public address of the server's machine. */
export const OWN = '93.184.216.77'
export const PRIVATE = '10.7.7.7'
export const ALLOWED = '10.7.7.9'
export const METADATA = '169.254.169.254'
export const NEIGHBOR = '169.254.7.7'

/** Names in the network of isolated tests, and what they lead to. */
export const ISOLATED_HOSTS = {
  'public.test': PUBLIC,
  'own.test': OWN,
  'intranet.test': PRIVATE,
  'allowed.test': ALLOWED,
  'ours6.test': 'fd00:7::7',
  'metadata.test': METADATA,
  'neighbor.test': NEIGHBOR,
}
