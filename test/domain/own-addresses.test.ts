import { expect, test } from 'vitest'
import type { EgressMode } from '../../src/ports/egress/egress.ts'
import { refusalBy, refusingRule } from '../../src/egress/refusal.ts'
import { OwnAddresses } from '../../src/egress/own-addresses.ts'

const own = new OwnAddresses(() => ['93.184.216.77', '192.88.100.0/24', '2606:4700::77', '10.0.0.5'])
const ruleOf = (host: string, mode: EgressMode, ...allow: string[]) =>
  refusingRule(new URL(`http://${host}/`), { mode, allow, allowedHosts: null, upstream: null }, own)

const OWN = [
  '93.184.216.77',
  '0x5db8d84d',
  '93.184.55373',
  '[::ffff:93.184.216.77]',
  '[64:ff9b::93.184.216.77]',
  '[2606:4700:0::0:77]',
  '192.88.100.200',
]

test('public addresses of the machine are not public, in any notation', () => {
  expect(OWN.map((host) => [host, ruleOf(host, 'PUBLIC')])).toEqual(OWN.map((host) => [host, 'own address']))
  expect(['93.184.216.78', '[2606:4700::78]'].map((host) => ruleOf(host, 'PUBLIC'))).toEqual([null, null])
  expect(ruleOf('10.0.0.5', 'PUBLIC')).toBe('private address')
  expect(refusalBy('own address', 'PUBLIC')).toMatch(/own machine .*TABWIRE_EGRESS_ALLOW/)
})

test('they are reached where they are allowed', () => {
  expect(ruleOf('93.184.216.77', 'OPEN')).toBeNull()
  expect(ruleOf('93.184.216.77:8080', 'PUBLIC', '93.184.216.77:8080')).toBeNull()
  expect(ruleOf('93.184.216.77:8081', 'PUBLIC', '93.184.216.77:8080')).toBe('own address')
})

test('of this machine: all of its interfaces', () => {
  const policy = { mode: 'PUBLIC', allow: [], allowedHosts: null, upstream: null } as const
  expect(refusingRule(new URL('http://127.7.7.7/'), policy)).toBe('loopback address')
  expect(refusingRule(new URL('http://93.184.216.77/'), policy)).toBeNull()
})
