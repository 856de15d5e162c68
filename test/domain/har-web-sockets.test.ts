import { describe, expect, test } from 'vitest'
import { HeldMessages } from '../../src/domain/exports/held-messages.ts'
import { SESSION_EVENT_KINDS } from '../../src/ports/log/log-entry.ts'
import { networkRequest } from '../contracts/store-samples.ts'
import { closed, draftOf, harOf, opened, received, said, sent } from '../support/har-of-log.ts'

const AT = 1_700_000_000_000
const KINDS: readonly string[] = SESSION_EVENT_KINDS
const LARGE = 'x'.repeat(2 * 1024 * 1024)

interface Socket {
  request: { url: string }
  _webSocketMessages?: { type: string; time: number; opcode: number; data: string }[]
}

const socketsOf = async (drafts: Parameters<typeof harOf>[0]) =>
  (await harOf(drafts)).entries.filter((entry) => entry._resourceType === 'websocket') as unknown as Socket[]

describe('a WebSocket', () => {
  test('is an entry from its opening to its closing', async () => {
    const headers = { requestHeaders: { cookie: 'a=1' }, responseHeaders: { upgrade: 'websocket' } }
    const { entries } = await harOf([
      draftOf('WEB_SOCKET_OPENED', AT, { webSocketId: 1, url: 'ws://127.0.0.1/1', pageId: 'p1', ...headers }),
      networkRequest(1),
      closed(1),
    ])
    expect(entries.map(({ request }) => request.url)).toEqual(['http://127.0.0.1/data.json', 'ws://127.0.0.1/1'])
    expect(entries[1]).toMatchObject({
      pageref: 'p1',
      startedDateTime: '2023-11-14T22:13:20.000Z',
      time: 500,
      request: { method: 'GET', cookies: [{ name: 'a', value: '1' }] },
      response: { status: 101, headers: [{ name: 'upgrade', value: 'websocket' }] },
    })
  })

  test('that failed says so; one that is open at the end is there', async () => {
    const sockets = await socketsOf([opened(1), opened(2), closed(2, 'refused')])
    expect(sockets).toMatchObject([
      { request: { url: 'ws://127.0.0.1/2' }, response: { status: -1, _failureText: 'refused', _error: 'refused' } },
      { request: { url: 'ws://127.0.0.1/1' }, response: { status: 101 } },
    ])
  })

  test('that closed without an opening is there', async () => {
    expect(await socketsOf([closed(3)])).toMatchObject([{ request: { url: 'ws://127.0.0.1/3' } }])
  })

  test('says how many of its messages are not recorded', async () => {
    const [socket] = await socketsOf([opened(1), closed(1, null, { omittedSent: 2, omittedReceived: 3 })])
    expect(socket).toMatchObject({ comment: '5 messages are not recorded.' })
  })
})

describe.runIf(KINDS.includes('WEB_SOCKET_MESSAGES'))('messages', () => {
  test('are those of their socket, as DevTools has them', async () => {
    const sockets = await socketsOf([
      opened(1),
      opened(2),
      said(1, sent('one'), received('AP8=')),
      said(2, sent('of two')),
      said(1, sent('three', AT + 300)),
      closed(1),
      closed(2),
    ])
    expect(sockets.map(({ _webSocketMessages }) => _webSocketMessages)).toEqual([
      [
        { type: 'send', time: (AT + 100) / 1000, opcode: 1, data: 'one' },
        { type: 'receive', time: (AT + 250) / 1000, opcode: 2, data: 'AP8=' },
        { type: 'send', time: (AT + 300) / 1000, opcode: 1, data: 'three' },
      ],
      [{ type: 'send', time: (AT + 100) / 1000, opcode: 1, data: 'of two' }],
    ])
  })

  test('that are more than an export holds are all there, of each of several sockets', async () => {
    const ids = [1, 2, 3, 4]
    const rounds = [0, 1, 2]
    const drafts = [
      ...ids.map((id) => opened(id)),
      ...rounds.flatMap((round) => ids.map((id) => said(id, sent(`${id}.${round} ${LARGE}`)))),
      ...ids.toReversed().map((id) => closed(id)),
    ]
    const sockets = await socketsOf([...drafts, opened(5), said(5, sent('of five'))])
    const reported = sockets.map(({ request, _webSocketMessages }) => [
      request.url.at(-1),
      _webSocketMessages?.map(({ data }) => data.slice(0, 3)),
    ])
    expect(reported.toSorted()).toEqual([
      ...ids.map((id) => [String(id), rounds.map((round) => `${id}.${round}`)]),
      ['5', ['of ']],
    ])
  })

  test('of a socket alone that are more than an export holds are streamed', async () => {
    const drafts = Array.from({ length: 6 }, (_, index) => said(1, sent(`${index} ${LARGE}`)))
    const [socket] = await socketsOf([opened(1), ...drafts])
    expect(socket!._webSocketMessages?.map(({ data }) => data[0])).toEqual(['0', '1', '2', '3', '4', '5'])
  })
})

describe('messages are held', () => {
  test('up to a bound, and none of whom there was no room for', () => {
    const held = new HeldMessages(10)
    held.add(1, ['1234'])
    held.add(2, ['1234', '12'])
    held.add(2, ['1'])
    held.add(1, ['5'])
    expect(held.take(2)).toBeNull()
    expect(held.take(1)).toEqual(['1234', '5'])
    held.add(2, ['1234567890'])
    expect(held.take(2)).toEqual(['1234567890'])
    expect(held.take(2)).toEqual([])
  })
})
