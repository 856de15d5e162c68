import { connect } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { startFakeServer, type FakeOptions, type FakeServer } from './fake-server.ts'

let server: FakeServer

const start = async (options: FakeOptions = {}) => (server = await startFakeServer(options))

afterEach(() => server.close())

describe('connections that come to nothing', () => {
  /** Output of the server on a connection that the client never ends, until the server ends it. */
  async function answerTo(text: string): Promise<string> {
    const { hostname, port } = new URL(server.url)
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
    socket.write(text)
    let answer = ''
    for await (const chunk of socket) answer += String(chunk)
    // The server has sent everything. Whether it also released the connection shows only on a write.
    const { promise: reset, resolve } = Promise.withResolvers<void>()
    socket.once('error', () => resolve())
    const knocking = setInterval(() => socket.write('x'), 20)
    await reset
    clearInterval(knocking)
    socket.destroy()
    return answer
  }

  const UPGRADE = 'Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'
  const HANDSHAKE = `${UPGRADE}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`

  test('an upgrade of another path is let go of', async () => {
    await start()
    expect(await answerTo(`GET /elsewhere HTTP/1.1\r\n${HANDSHAKE}`)).toMatch(/^HTTP\/1\.1 404 /)
  })

  test.each([
    ['headers', 'POST /graphql HTTP/1.1\r\nHost: local'],
    [
      'a body',
      'POST /graphql HTTP/1.1\r\nHost: localhost\r\nX-API-Key: reader\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
    ],
  ])('%s that never end are given up', async (_, text) => {
    await start({ requestLimits: { headersMs: 200, requestMs: 400, checkMs: 50 } })
    expect(await answerTo(text)).toMatch(/^HTTP\/1\.1 408 /)
  })
})
