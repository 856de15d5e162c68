import { expect, test } from 'vitest'
import { WAIT_LIMITS } from '../support/time-limits.ts'
import { startSocketSite } from '../support/site-sockets.ts'
import { readEntireLog } from '../support/entire-log.ts'
import { withApp } from '../support/with-app.ts'

const SCRIPTS = {
  talks: `for (const word of ['red', 'green']) {
      const socket = new WebSocket(ws + '/echo')
      socket.onopen = () => { socket.send(word); socket.send(new Uint8Array([255])) }
    }`,
  events: `const source = new EventSource('/events')`,
}

const { tabwire, site, start, terminate } = withApp(() => startSocketSite(SCRIPTS), { warmBrowsers: 0 })

interface Message {
  direction: string
  opcode: string
  sizeBytes: number
  text: string | null
  base64: string | null
  truncated: boolean
}

interface Batch {
  webSocketId: number
  url: string
  pageId: string | null
  messages: Message[]
}

const FIELDS = `webSocketId url pageId omittedSent omittedReceived
  messages { at direction opcode sizeBytes text base64 truncated }`

/** As received by a live reader, to the end of the session. */
async function followed(id: string, filter: object | null = null): Promise<Batch[]> {
  const query = `subscription ($id: ID!, $filter: WebSocketFilter) {
    webSocketMessages(sessionId: $id, filter: $filter) { entries { ${FIELDS} } } }`
  const batches: Batch[] = []
  const results = tabwire().client().iterate<{ webSocketMessages: { entries: Batch[] } }>({
    query,
    variables: { id, filter },
  })
  for await (const { data } of results) batches.push(...data!.webSocketMessages.entries)
  return batches
}

const history = (id: string, filter = '') =>
  readEntireLog<Batch>(tabwire(), id, FIELDS, {
    connection: 'webSocketMessages',
    only: filter === '' ? '' : `filter: {${filter}}`,
  })

const textsOf = (batches: readonly Batch[]) =>
  batches.flatMap(({ messages }) => messages.flatMap(({ text }) => (text === null ? [] : [text]))).toSorted()

test('messages of WebSockets are followed and paged through, all or those that are wanted', async () => {
  const { id } = await start({ initialPrompt: `${site().url}/page/talks` }, 'LOADED')
  const seen = followed(id)
  // Of each socket, a text and bytes are sent and received.
  await expect.poll(async () => (await history(id)).flatMap(({ messages }) => messages).length, WAIT_LIMITS).toBe(8)
  await terminate(id)
  const kept = await history(id)
  expect(await seen).toEqual(kept)
  expect(textsOf(kept)).toEqual(['green', 'green', 'red', 'red'])
  const [first] = kept
  expect(first).toMatchObject({ url: `${site().socketUrl}/echo`, pageId: 'p1', omittedSent: 0, omittedReceived: 0 })
  expect(kept.flatMap(({ messages }) => messages).find(({ opcode }) => opcode === 'BINARY')).toMatchObject({
    sizeBytes: 1,
    text: null,
    base64: '/w==',
    truncated: false,
  })

  const red = kept.filter(({ messages }) => messages.some(({ text }) => text?.includes('red')))
  expect(await history(id, 'textContains: "red"')).toEqual(red)
  expect(await followed(id, { textContains: 'red' })).toEqual(red)
  expect(await history(id, `webSocketId: ${red[0]!.webSocketId}`)).toEqual(
    kept.filter(({ webSocketId }) => webSocketId === red[0]!.webSocketId),
  )
  expect(await history(id, 'pageId: "p2"')).toEqual([])
  const closed = await readEntireLog<{ closedBy: string; status: number; framesSent: number }>(
    tabwire(),
    id,
    '... on WebSocketClosed { closedBy status framesSent framesReceived }',
    { only: 'kinds: [WEB_SOCKET_CLOSED]' },
  )
  const end = { closedBy: 'SESSION', status: 101, framesSent: 2, framesReceived: 2 }
  expect(closed).toEqual([end, end])
})

test('server-sent events name the request that receives them', async () => {
  const { id } = await start({ initialPrompt: `${site().url}/page/events` }, 'LOADED')
  const read = () =>
    readEntireLog<{ networkRequestId: string; streamMessages: { eventName: string; data: string }[] }>(
      tabwire(),
      id,
      '... on EventSourceMessages { networkRequestId url pageId omittedReceived streamMessages { at eventName eventId data sizeBytes truncated } }',
      { only: 'kinds: [EVENT_SOURCE_MESSAGES]' },
    )
  await expect
    .poll(async () => (await read()).flatMap(({ streamMessages }) => streamMessages).length, WAIT_LIMITS)
    .toBe(3)
  const query = 'query ($id: ID!) { session(id: $id) { pendingRequests { id url } } }'
  const { session } = await tabwire().query<{ session: { pendingRequests: { id: string; url: string }[] } }>(query, {
    id,
  })
  const [receiver] = session.pendingRequests.filter(({ url }) => url === `${site().url}/events`)
  const [first] = await read()
  expect(first).toMatchObject({ networkRequestId: receiver!.id, url: receiver!.url, pageId: 'p1', omittedReceived: 0 })
  expect(first!.streamMessages[0]).toMatchObject({ eventName: 'message', eventId: '7', data: 'one', sizeBytes: 3 })
  await terminate(id)
  const node = `query ($id: ID!) { node(id: $id) { ... on NetworkRequest { resourceType } } }`
  expect(await tabwire().query(node, { id: receiver!.id })).toEqual({ node: { resourceType: 'EVENT_SOURCE' } })
})
