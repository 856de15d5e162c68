import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { leakGate } from '../../support/leak-gate.ts'
import { echo, EgressStage, NONE, OPEN } from './egress-stage.ts'
import { say } from './socks-client.ts'

leakGate()
const stage = new EgressStage()

const GREETING = [5, 1, 0]
const ACCEPTED = [5, 0]
const hex = (bytes: readonly number[]) => Buffer.from(bytes).toString('hex')
const reply = (code: number) => hex([...ACCEPTED, 5, code, 0, 1, 0, 0, 0, 0, 0, 0])
const portBytes = (port: number) => [port >> 8, port & 255]

test('what is no SOCKS5 request to connect is answered as RFC 1928 says, and ends', async () => {
  const { port, outcomes } = await stage.browser(NONE)
  const answer = async (...bytes: number[]) => (await say(port, bytes)).toString('hex')
  expect(await answer(4, 1, 0, 80, 127, 0, 0, 1, 0)).toBe('')
  expect(await answer(...Buffer.from('GET / HTTP/1.1\r\n\r\n'))).toBe('')
  expect(await answer(5, 1, 2)).toBe('05ff')
  expect(await answer(5, 0)).toBe('05ff')
  expect(await answer(...GREETING, 4, 1, 0, 1)).toBe(hex(ACCEPTED))
  expect(await answer(...GREETING, 5, 2, 0, 1, 127, 0, 0, 1, 0, 80)).toBe(reply(7))
  expect(await answer(...GREETING, 5, 3, 0, 1, 127, 0, 0, 1, 0, 80)).toBe(reply(7))
  expect(await answer(...GREETING, 5, 1, 0, 2, 127, 0, 0, 1, 0, 80)).toBe(reply(8))
  expect(await answer(...GREETING, 5, 1, 0, 3, 2, 0xff, 0xfe, 0, 80)).toBe(hex(ACCEPTED))
  expect(outcomes).toEqual([])
})

test('every kind of address is understood', async () => {
  const { port, outcomes } = await stage.browser(NONE)
  const longName = Array.from({ length: 255 }, () => 97)
  await say(port, [...GREETING, 5, 1, 0, 1, 10, 0, 0, 1, ...portBytes(80)])
  await say(port, [...GREETING, 5, 1, 0, 4, ...Array.from({ length: 15 }, () => 0), 1, ...portBytes(443)])
  await say(port, [...GREETING, 5, 1, 0, 3, 5, ...Buffer.from('A.tEs'), ...portBytes(8080)])
  expect((await say(port, [...GREETING, 5, 1, 0, 3, 255, ...longName, ...portBytes(1)])).toString('hex')).toBe(reply(4))
  expect((await say(port, [...GREETING, 5, 1, 0, 3, 0, ...portBytes(1)])).toString('hex')).toBe(reply(4))
  await expect.poll(() => outcomes.length).toBe(5)
  expect(outcomes.map(({ host, port: to, failure }) => [host, to, failure?.code])).toEqual([
    ['10.0.0.1', 80, 'BLOCKED'],
    ['::1', 443, 'BLOCKED'],
    ['a.tes', 8080, 'BLOCKED'],
    ['a'.repeat(255), 1, 'NAME_NOT_RESOLVED'],
    ['', 1, 'NAME_NOT_RESOLVED'],
  ])
})

test('bytes may come one at a time, or all at once with what is for the other side', async () => {
  const target = await stage.serve(echo)
  const { port } = await stage.browser(OPEN)
  const request = [...GREETING, 5, 1, 0, 1, 127, 0, 0, 1, ...portBytes(target)]
  const granted = Buffer.from(reply(0), 'hex')
  for (const pieces of [
    [[...request, ...Buffer.from('hello')]],
    [...request, ...Buffer.from('hello')].map((byte) => [byte]),
  ]) {
    const socket = stage.own(connect({ port, host: '127.0.0.1', noDelay: true }), (opened) => void opened.destroy())
    for (const piece of pieces) await new Promise((resolve) => socket.write(Buffer.from(piece), resolve))
    socket.end()
    const received = Buffer.concat(await socket.toArray())
    expect(received).toEqual(Buffer.concat([granted, Buffer.from('hello')]))
  }
})

test('whoever takes too long to say where to go is hung up on', async () => {
  const { port } = await stage.browser(OPEN, { limits: { handshakeMs: 50 } })
  // On a slow machine the time may be over before the greeting has come.
  expect((await say(port, GREETING)).toString('hex')).toBeOneOf([hex(ACCEPTED), ''])
  expect((await say(port, [])).length).toBe(0)
})
