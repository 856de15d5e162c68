import { hostname } from 'node:os'
import { expect, test } from 'vitest'
import { internalUrl } from '../../src/listen.ts'

test('other machines reach a server at its host name and port, where it listens on every address', () => {
  for (const host of ['0.0.0.0', '::']) expect(internalUrl(host, 4000)).toBe(`http://${hostname()}:4000`)
  expect(internalUrl('10.0.0.1', 4001)).toBe('http://10.0.0.1:4001')
  expect(internalUrl('fd00::1', 4002)).toBe('http://[fd00::1]:4002')
})

test('only other processes of its machine reach one that listens on loopback', () => {
  expect(internalUrl('127.0.0.1', 4000)).toBe('http://127.0.0.1:4000')
})
