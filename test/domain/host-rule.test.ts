import { describe, expect, test } from 'vitest'
import { HostRules, readHostRule } from '../../src/egress/host-rule.ts'
import { parseHost } from '../../src/egress/network-address.ts'

describe('a rule', () => {
  test('has a normal form', () => {
    const forms = {
      'Example.COM.': 'example.com',
      ' example.com:8080 ': 'example.com:8080',
      '*.Bücher.example:443': '*.xn--bcher-kva.example:443',
      '10.1.2.3/8': '10.0.0.0/8',
      '10.1.2.3/8:80': '10.0.0.0/8:80',
      '0x7f.1:80': '127.0.0.1:80',
      'FD00::1/8': 'fd00::/8',
      '[fd00::/8]:80': '[fd00::/8]:80',
      '[::1]:80': '[::1]:80',
      '0:0::1': '::1',
      '::ffff:10.0.0.0/104': '10.0.0.0/8',
      '0.0.0.0/0': '0.0.0.0/0',
    }
    const read = Object.keys(forms).map((text) => [text, readHostRule(text).rule])
    expect(Object.fromEntries(read)).toEqual(forms)
    // Once in the normal form, it stays as it is.
    for (const form of Object.values(forms)) expect(readHostRule(form).rule).toBe(form)
  })

  test('that is none is refused with a reason', () => {
    const texts = [
      '',
      '*',
      '*.',
      '*.10.0.0.1',
      'a.*.example',
      'a b',
      '10.0.0.0/33',
      '10.0.0.0/',
      '10.0.0.0/8/8',
      'fd00::/129',
      'example.com/8',
      'https://example.com',
      'user@example.com',
      'example.com:0',
      'example.com:65536',
      'example.com:http',
      'fd00::1%eth0',
      'x'.repeat(301),
    ]
    const read = texts.map((text) => [text, readHostRule(text).rule])
    expect(Object.fromEntries(read)).toEqual(Object.fromEntries(texts.map((text) => [text, null])))
    expect(readHostRule('example.com:65536').problem).toBe('must have a port from 1 to 65535')
  })
})

describe('rules cover', () => {
  const covers = (rules: string[], host: string, port = 443) => {
    const parsed = parseHost(host)!
    const asked = new HostRules(rules)
    return parsed.kind === 'name' ? asked.coversName(parsed.name, port) : asked.coversAddress(parsed.address, port)
  }

  test('a name, alone or with all below it', () => {
    expect(covers(['example.com'], 'example.com')).toBe(true)
    expect(covers(['example.com'], 'EXAMPLE.com.')).toBe(true)
    expect(covers(['example.com'], 'www.example.com')).toBe(false)
    expect(covers(['*.example.com'], 'example.com')).toBe(false)
    expect(covers(['*.example.com'], 'www.example.com')).toBe(true)
    expect(covers(['*.example.com'], 'a.b.example.com')).toBe(true)
    expect(covers(['*.example.com'], 'badexample.com')).toBe(false)
    expect(covers(['*.com', 'b'], 'example.com.evil')).toBe(false)
    expect(covers([], 'example.com')).toBe(false)
  })

  test('addresses, whatever form they come in', () => {
    expect(covers(['10.0.0.0/8'], '10.255.0.1')).toBe(true)
    expect(covers(['10.0.0.0/8'], '11.0.0.1')).toBe(false)
    expect(covers(['10.0.0.0/8'], '::ffff:10.0.0.1')).toBe(true)
    expect(covers(['10.0.0.0/8'], '64:ff9b::10.0.0.1')).toBe(true)
    expect(covers(['fd00::/16'], 'fd00::1')).toBe(true)
    expect(covers(['fd00::/16'], '10.0.0.1')).toBe(false)
    expect(covers(['127.0.0.1'], '2130706433')).toBe(true)
    expect(covers(['127.0.0.1'], '127.0.0.2')).toBe(false)
  })

  test('one port, where they name one', () => {
    expect(covers(['example.com:8080'], 'example.com', 8080)).toBe(true)
    expect(covers(['example.com:8080'], 'example.com')).toBe(false)
    expect(covers(['example.com:8080', 'example.com:443'], 'example.com')).toBe(true)
    expect(covers(['10.0.0.0/8:80'], '10.0.0.1', 80)).toBe(true)
    expect(covers(['10.0.0.0/8:80'], '10.0.0.1')).toBe(false)
    expect(covers(['[::1]:80'], '::1', 80)).toBe(true)
  })
})
