import { once } from 'node:events'
import { get as getHttp, type IncomingMessage } from 'node:http'
import { get as getHttps } from 'node:https'
import { WebSocket } from 'ws'
import { Deadline } from '../../async/deadline.ts'
import { MACHINE_CALLS_PATH, MACHINE_CHALLENGES_PATH } from '../../http-paths.ts'
import { CHANNEL_MESSAGE_BYTES, SocketChannel } from '../../machine-channel.ts'
import type { MachineChannel, MachineDialer, MachineHandshake } from '../../ports/machines/machine-link.ts'

const OPEN_MS = 10_000
const CHALLENGE_BYTES = 4_096

/** Opens connections to the internal URLs of other machines. */
export class WebSocketDialer implements MachineDialer {
  async open(url: string, handshake: MachineHandshake): Promise<MachineChannel> {
    using deadline = new Deadline(OPEN_MS)
    const challenge = await askForChallenge(url, handshake.query, deadline.signal)
    const credentials = handshake.authorize(challenge)
    if (credentials === null) throw new Error('the other side is not the machine')
    return await connect(url, credentials, deadline.signal)
  }
}

async function askForChallenge(
  base: string,
  query: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<unknown> {
  const url = new URL(MACHINE_CHALLENGES_PATH, base)
  url.search = new URLSearchParams(query).toString()
  const get = url.protocol === 'https:' ? getHttps : getHttp
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const request = get(url, { agent: false, signal }, resolve)
  request.on('error', reject)
  try {
    const response = await promise
    if (response.statusCode !== 200) throw new Error(`HTTP status ${response.statusCode}`)
    let text = ''
    for await (const chunk of response.setEncoding('utf8')) {
      text += String(chunk)
      if (text.length > CHALLENGE_BYTES) throw new Error('the response is too long')
    }
    return JSON.parse(text) as unknown
  } finally {
    request.destroy()
  }
}

async function connect(base: string, credentials: string, signal: AbortSignal): Promise<MachineChannel> {
  const url = new URL(MACHINE_CALLS_PATH, base.replace(/^http/, 'ws'))
  const socket = new WebSocket(url, {
    headers: { authorization: `Tabwire ${credentials}` },
    perMessageDeflate: false,
    maxPayload: CHANNEL_MESSAGE_BYTES,
    followRedirects: false,
  })
  const channel = new SocketChannel(socket)
  try {
    await once(socket, 'open', { signal })
    return channel
  } catch (error) {
    socket.terminate()
    throw error
  }
}
