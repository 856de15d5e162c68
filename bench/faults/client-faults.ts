import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import WebSocket from 'ws'
import { eventually } from './eventually.ts'
import { BOTH, type Fault } from './fault.ts'
import { RECOVERY_MS, type Stage } from './stage.ts'

const ofClient = { on: BOTH, sparesNeighbor: true, isShort: false }
const READERS = 15
const SUBSCRIPTIONS = 60
const STALLED_MS = 4_000
const SOCKETS = 800

async function longLog(stage: Stage): Promise<string> {
  const { id } = await stage.victim('/long-lines')
  await eventually('the page has written its lines', RECOVERY_MS, async () => (await stage.state(id)).title === 'done')
  return id
}

/** A socket with many subscriptions that reads nothing. */
async function stalledReader(stage: Stage, sessionId: string): Promise<WebSocket> {
  const socket = new WebSocket(`${stage.server.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws')
  socket.on('error', () => {})
  await once(socket, 'open')
  socket.send(JSON.stringify({ type: 'connection_init', payload: { 'X-API-Key': stage.server.apiKey } }))
  await once(socket, 'message')
  socket.pause()
  const query = 'subscription ($id: ID!) { consoleMessages(sessionId: $id) { cursor entries { text } } }'
  for (let number = 0; number < SUBSCRIPTIONS; number += 1) {
    const payload = { query, variables: { id: sessionId } }
    socket.send(JSON.stringify({ type: 'subscribe', id: String(number), payload }))
  }
  return socket
}

function rawSockets(stage: Stage, count: number, text: string): Socket[] {
  const { hostname, port } = new URL(stage.server.url)
  return Array.from({ length: count }, () => {
    const socket = connect(Number(port), hostname)
    socket.on('error', () => {})
    socket.on('data', () => {})
    socket.write(text)
    return socket
  })
}

const UPGRADE = [
  'GET /graphql HTTP/1.1',
  'Host: x',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Protocol: graphql-transport-ws',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  '',
  '',
].join('\r\n')

const BODY = 'POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{'

/** Idle anonymous sockets while a client with a key needs a connection. */
const crowd = (name: string, text: string): Fault => ({
  ...ofClient,
  name,
  async run(stage) {
    const sockets = rawSockets(stage, SOCKETS, text)
    try {
      await pause(1_000)
      const { witness } = await stage.victim('/ticks')
      await eventually('a client with a key is served', RECOVERY_MS, async () => witness.seenCount > 3)
    } finally {
      for (const socket of sockets) socket.destroy()
    }
  },
})

export const CLIENT_FAULTS: readonly Fault[] = [
  {
    ...ofClient,
    isShort: true,
    name: 'clients: subscribers that stop reading, then leave',
    async run(stage) {
      const id = await longLog(stage)
      const sockets: WebSocket[] = []
      try {
        for (let number = 0; number < READERS; number += 1) sockets.push(await stalledReader(stage, id))
        await pause(STALLED_MS)
        if (!(await stage.server.isHealthy())) throw new Error('/health does not answer')
      } finally {
        for (const socket of sockets) socket.terminate()
      }
    },
  },
  {
    ...ofClient,
    name: 'clients: a page of all entries, eight times in one request',
    async run(stage) {
      const id = await longLog(stage)
      const aliases = Array.from(
        { length: 8 },
        (_, number) => `a${number}: consoleMessages(first: 600) { nodes { text } }`,
      )
      const query = `query ($id: ID!) { session(id: $id) { ${aliases.join(' ')} } }`
      // Refused or answered: the neighbor must not be affected.
      await stage.server.client.query(query, { id }).catch(() => undefined)
    },
  },
  { ...crowd('clients: WebSockets without a key', UPGRADE), isShort: true },
  crowd('clients: bodies that do not come, without a key', BODY),
  crowd('clients: connections that say nothing', ''),
]
