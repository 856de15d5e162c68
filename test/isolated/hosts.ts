/** Addresses of the internet, of the server's network, and of a cloud's metadata service. */
export const PUBLIC = '93.184.215.14'
/** A public address of the server's machine. */
export const OWN = '93.184.216.77'
export const PRIVATE = '10.7.7.7'
export const ALLOWED = '10.7.7.9'
export const METADATA = '169.254.169.254'
export const NEIGHBOR = '169.254.7.7'

/** Names in the network of isolated tests, and their addresses. */
export const ISOLATED_HOSTS = {
  'public.test': PUBLIC,
  'own.test': OWN,
  'intranet.test': PRIVATE,
  'allowed.test': ALLOWED,
  'ours6.test': 'fd00:7::7',
  'metadata.test': METADATA,
  'neighbor.test': NEIGHBOR,
}

/** Notations of private addresses, names that resolve to them, and forbidden targets. */
export const INWARD = [
  '10.7.7.7',
  '0x0a070707',
  '168232711',
  '10.7.1799',
  '012.07.07.07',
  '[::ffff:10.7.7.7]',
  '[::ffff:a07:707]',
  '[fd00:7::7]',
  'intranet.test',
  'INTRANET.test.',
  'ours6.test',
  'localhost',
  'any.localhost',
  '127.1',
  '0',
  '[::1]',
  '[::]',
  METADATA,
  OWN,
  'own.test',
  '0x5db8d84d',
  '[64:ff9b::93.184.216.77]',
  'metadata.test',
  '[::ffff:169.254.169.254]',
]
