import { describe, expect, test } from 'vitest'
import {
  forbiddenRule,
  formatAddress,
  isMetadataName,
  nonPublicRule,
  parseHost,
} from '../../src/egress/network-address.ts'

function judge(text: string): string {
  const host = parseHost(text)
  if (!host) return 'no host'
  if (host.kind === 'name') return `name ${host.name}`
  return forbiddenRule(host.address) ?? nonPublicRule(host.address) ?? `public ${formatAddress(host.address)}`
}

const judged = (texts: readonly string[]) => Object.fromEntries(texts.map((text) => [text, judge(text)]))
const all = (texts: readonly string[], verdict: string) => Object.fromEntries(texts.map((text) => [text, verdict]))

describe('an address is judged alike in every notation', () => {
  test('of this machine', () => {
    const notations = [
      '127.0.0.1',
      '127.255.255.254',
      '127.1',
      '127.0.1',
      '2130706433',
      '0x7f000001',
      '0x7f.0x0.0x0.0x1',
      '017700000001',
      '0177.0.0.01',
      '127.0.0.1.',
      '[127.0.0.1]',
      '１２７.０.０.１',
      '127。0。0。1',
      '0',
      '0.0.0.0',
      '0.1.2.3',
      '::',
      '::1',
      '[::1]',
      '0:0:0:0:0:0:0:1',
      '::ffff:127.0.0.1',
      '::ffff:7f00:1',
      '::FFFF:7F00:0001',
      '::127.0.0.1',
      '::ffff:0:127.0.0.1',
      '64:ff9b::127.0.0.1',
      '2002:7f00:1::',
      '2001:0:7f00:1::f7f7:f7f7',
      '2001:0:808:808::80ff:fffe',
      '2606:4700::5efe:7f00:1',
      '2606:4700::200:5efe:7f00:1',
    ]
    expect(judged(notations)).toEqual(all(notations, 'loopback address'))
  })

  test('of a private network', () => {
    const notations = [
      '10.0.0.1',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '100.64.0.1',
      '0xa.1',
      '167772161',
      'fc00::1',
      'fdff::1',
      'fec0::1',
      'fd00::1%eth0',
      'fd00::5efe:8.8.8.8',
      '::ffff:10.0.0.1',
      '64:ff9b::10.0.0.1',
      '64:ff9b:1::8.8.8.8',
      '2002:c0a8:101::1',
    ]
    expect(judged(notations)).toEqual(all(notations, 'private address'))
  })

  test('of cloud metadata', () => {
    const notations = [
      '169.254.169.254',
      '169.254.43518',
      '0xa9fea9fe',
      '2852039166',
      '0251.0376.0251.0376',
      '[::ffff:169.254.169.254]',
      '::169.254.169.254',
      '64:ff9b::a9fe:a9fe',
      '64:ff9b:1::a9fe:a9fe',
      '2002:a9fe:a9fe::',
      '2001:0:a9fe:a9fe::f7f7:f7f7',
      '2001:0:808:808::5601:5601',
      'fd00:ec2::254',
      'fd00:ec2::253',
      'fd00:ec2::123',
      '[fd00:ec2::23]',
      'FD00:0EC2::0.0.0.35',
      '169.254.170.2',
      '169.254.170.23',
      'fd00:c1::a9fe:a9fe',
      'fd00:42::42',
      'FD00:0EC2:0:0:0:0:0:254',
      'fd20:ce::254',
      'fe80::a9fe:a9fe%2',
      '100.100.100.200',
      '168.63.129.16',
      '192.0.0.192',
    ]
    expect(judged(notations)).toEqual(all(notations, 'cloud metadata'))
    expect(['metadata', 'metadata.google.internal'].filter(isMetadataName)).toHaveLength(2)
  })

  test('of the link', () => {
    const notations = ['169.254.0.1', '169.254.255.255', 'fe80::1', 'febf::1', '[fe80::1%eth0]', '::ffff:169.254.1.1']
    expect(judged(notations)).toEqual(all(notations, 'link-local address'))
  })

  test('of no one', () => {
    const notations = [
      '224.0.0.1',
      '239.1.2.3',
      '240.0.0.1',
      '255.255.255.255',
      '192.0.2.1',
      '198.18.0.1',
      'ff02::1',
      '2001:db8::1',
      '4000::1',
      '100::1',
    ]
    expect(judged(notations)).toEqual(all(notations, 'reserved address'))
  })

  test('of the internet', () => {
    expect(judged(['8.8.8.8', '134744072', '64:ff9b::8.8.8.8', '2606:4700::1111', '2002:808:808::1'])).toEqual({
      '8.8.8.8': 'public 8.8.8.8',
      '134744072': 'public 8.8.8.8',
      '64:ff9b::8.8.8.8': 'public 64:ff9b::808:808',
      '2606:4700::1111': 'public 2606:4700::1111',
      '2002:808:808::1': 'public 2002:808:808::1',
    })
  })
})

test('names are lower case, in Punycode, without a dot at the end', () => {
  expect(judged(['Example.COM', 'example.com.', 'bücher.example', 'a_b.example', 'xn--bcher-kva.example'])).toEqual({
    'Example.COM': 'name example.com',
    'example.com.': 'name example.com',
    'bücher.example': 'name xn--bcher-kva.example',
    'a_b.example': 'name a_b.example',
    'xn--bcher-kva.example': 'name xn--bcher-kva.example',
  })
})

test('what is neither an address nor a name is no host', () => {
  const texts = [
    '',
    '.',
    'a..b',
    'a b',
    'a\0b',
    'a/b',
    'user@host',
    'host:80',
    '1.2.3.4.5',
    '999.0.0.1',
    '127.0.0.256',
    'example.0x7f',
    '%31%32',
    '[::1',
    '::1]',
    '[]',
    '1::2::3',
    ':::',
    `${'a'.repeat(64)}.example`,
    `${'a.'.repeat(127)}example`,
  ]
  expect(judged(texts)).toEqual(all(texts, 'no host'))
})
