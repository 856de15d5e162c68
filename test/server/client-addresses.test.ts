import { describe, expect, test } from 'vitest'
import { ClientAddresses } from '../../src/server/base/client-addresses.ts'

const forwarded = (value: string) => ({ 'x-forwarded-for': value })

describe('the address of a client', () => {
  test.each([
    ['nobody is trusted', [], '192.0.2.1', '198.51.100.9', '192.0.2.1'],
    ['another is trusted', ['192.0.2.2'], '192.0.2.1', '198.51.100.9', '192.0.2.1'],
    ['the peer is trusted', ['192.0.2.1'], '192.0.2.1', '198.51.100.9', '198.51.100.9'],
    ['the peer is trusted, as a mapped address', ['192.0.2.1'], '::ffff:192.0.2.1', '198.51.100.9', '198.51.100.9'],
    ['a range is trusted', ['192.0.2.0/24'], '192.0.2.7', '198.51.100.9', '198.51.100.9'],
    ['a name is trusted', ['loopback'], '127.0.0.5', '198.51.100.9', '198.51.100.9'],
    ['the client made one up', ['loopback'], '127.0.0.1', '203.0.113.5, 198.51.100.9', '198.51.100.9'],
    [
      'two proxies are trusted',
      ['loopback', '10.0.0.0/8'],
      '127.0.0.1',
      '6.6.6.6, 198.51.100.9, 10.1.2.3',
      '198.51.100.9',
    ],
    ['there is no header', ['loopback'], '127.0.0.1', '', '127.0.0.1'],
    ['it is no address', ['loopback'], '127.0.0.1', 'unknown', '127.0.0.1'],
    ['it is none behind another proxy', ['loopback', '10.0.0.0/8'], '127.0.0.1', '<script>, 10.1.2.3', '10.1.2.3'],
    ['it has a port', ['loopback'], '127.0.0.1', '198.51.100.9:4711', '198.51.100.9'],
    ['it is IPv6 with a port', ['loopback'], '127.0.0.1', '[2001:db8::1]:4711', '2001:db8::'],
    ['it is far too long', ['loopback'], '127.0.0.1', `${'1.1.1.1,'.repeat(5000)}198.51.100.9`, '198.51.100.9'],
    ['it is IPv6: its /64', [], '2001:db8:1:2:3:4:5:6', '', '2001:db8:1:2::'],
    ['it is link-local', [], 'fe80::1%eth0', '', 'fe80::'],
    ['the socket has gone', ['loopback'], '', '198.51.100.9', ''],
  ])('where %s', (_, trusted, peer, header, expected) => {
    expect(new ClientAddresses(trusted).of(peer, forwarded(header))).toBe(expected)
  })
})
