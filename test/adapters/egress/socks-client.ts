import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

const REPLIES = [
  'Succeeded',
  'GeneralFailure',
  'NotAllowed',
  'NetworkUnreachable',
  'HostUnreachable',
  'ConnectionRefused',
]
const GREETING = [5, 1, 0]
/** Bytes of the responses to the method and the connection. */
const ANSWER_BYTES = 2 + 10

/** Opens a connection like a browser, paused. Rejects with the name of the reply if it is refused. */
export async function through(port: number, host: string, hostPort: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
  const name = Buffer.from(host)
  socket.write(Buffer.from([...GREETING, 5, 1, 0, 3, name.length, ...name, hostPort >> 8, hostPort & 255]))
  const answer = await firstOf(socket, ANSWER_BYTES)
  const reply = REPLIES[answer[3]!] ?? String(answer[3])
  if (reply !== 'Succeeded') {
    socket.destroy()
    throw new Error(reply)
  }
  if (answer.length > ANSWER_BYTES) socket.unshift(answer.subarray(ANSWER_BYTES))
  return socket
}

/** At least that many bytes; pauses the socket. */
function firstOf(socket: Socket, length: number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  let bytes = Buffer.alloc(0)
  const onData = (piece: Buffer) => {
    bytes = Buffer.concat([bytes, piece])
    if (bytes.length < length) return
    socket.off('data', onData).off('end', onEnd).off('error', reject).pause()
    resolve(bytes)
  }
  const onEnd = () => {
    socket.destroy()
    reject(new Error('it hung up'))
  }
  socket.on('data', onData).on('end', onEnd).on('error', reject)
  return promise
}

/** Sends bytes to the proxy and returns its output until it hangs up. */
export async function say(port: number, bytes: readonly number[] | Buffer): Promise<Buffer> {
  const socket = connect(port, '127.0.0.1')
  const pieces: Buffer[] = []
  socket.on('data', (piece) => pieces.push(piece))
  socket.on('error', () => {})
  socket.write(Buffer.from(bytes))
  await once(socket, 'close')
  return Buffer.concat(pieces)
}
