import { once } from 'node:events'
import WebSocket from 'ws'

export interface RawSocket {
  socket: WebSocket
  send(message: object | string): void
  /** The next message of this type (and id), past or future. */
  message(type: string, id?: string): Promise<{ type: string; id?: string; payload?: Payload }>
  /** Close code, past or future. */
  closed: Promise<{ code: number; reason: string }>
}

interface Payload {
  data?: Record<string, unknown>
  errors?: { message: string; extensions: { code: string } }[]
  [key: string]: unknown
}

/** A WebSocket with a manual implementation of graphql-transport-ws, so that it can also violate it. */
export async function openRawSocket(
  url: string,
  protocol = 'graphql-transport-ws',
  options: WebSocket.ClientOptions = {},
): Promise<RawSocket> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, protocol === '' ? [] : [protocol], options)
  const messages: { type: string; id?: string; payload?: Payload }[] = []
  const listeners = new Set<() => void>()
  socket.on('message', (data: Buffer) => {
    messages.push(JSON.parse(data.toString()))
    for (const listener of listeners) listener()
  })
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() }))
  })
  await once(socket, 'open')
  return {
    socket,
    send: (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    message: (type, id) =>
      new Promise((resolve) => {
        const look = () => {
          const index = messages.findIndex(
            (message) => message.type === type && (id === undefined || message.id === id),
          )
          if (index < 0) return
          listeners.delete(look)
          resolve(messages.splice(index, 1)[0]!)
        }
        listeners.add(look)
        look()
      }),
    closed,
  }
}

/** An acknowledged one. */
export async function initRawSocket(
  url: string,
  payload?: object,
  options?: WebSocket.ClientOptions,
): Promise<RawSocket> {
  const raw = await openRawSocket(url, undefined, options)
  raw.send({ type: 'connection_init', ...(payload && { payload }) })
  await raw.message('connection_ack')
  return raw
}
