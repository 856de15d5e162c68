import type { GraphQLAbstractType } from 'graphql'
import { beforeAll, expect, test } from 'vitest'
import { schema } from '../../src/schema/schema.ts'
import { startScriptedSite } from '../adapters/playwright/scripted-site.ts'
import { readEntireLog } from '../support/entire-log.ts'
import { wholeSelection } from '../support/whole-selection.ts'
import { withApp } from '../support/with-app.ts'

const scripts = {
  everything: `
    console.log('said')
    setTimeout(() => { throw new Error('thrown') })
    const video = document.body.appendChild(document.createElement('video'))
    const track = video.appendChild(document.createElement('track'))
    track.src = '/script/subtitles'; track.track.mode = 'showing'
    new WebSocket('ws://127.0.0.1:1/')
    const source = new EventSource('/script/events')
    source.onerror = () => { source.close(); fetch('/script/done').then(() => tell('everything')) }`,
}

const { tabwire, site, start, terminate } = withApp(() => startScriptedSite(scripts), { warmBrowsers: 0 })

interface Entry {
  __typename: string
  cursor: string
  source?: string
  location?: { url: string; line: number | null; column: number | null } | null
}

/** Every field of every kind, as a code generator would select them. */
const EVERYTHING = wholeSelection(schema.getType('SessionEvent') as GraphQLAbstractType, 2).slice(1, -1)

let id: string
let log: Entry[]

beforeAll(async () => {
  id = (await start({ initialPrompt: `${site().url}/page/everything`, screenshot: true }, 'LOADED')).id
  await site().reported('everything')
  await terminate(id)
  log = await readEntireLog<Entry>(tabwire(), id, EVERYTHING, { pageSize: 500 })
})

test('a log is read with every field of every kind at once, live as kept', async () => {
  const kinds = new Set(log.map(({ __typename }) => __typename))
  expect([...kinds]).toEqual(
    expect.arrayContaining([
      'StatusChange',
      'PageOpened',
      'Navigation',
      'ConsoleMessage',
      'NetworkRequest',
      'Action',
      'WebSocketClosed',
    ]),
  )
  const query = `subscription ($id: ID!) { sessionEvents(sessionId: $id) { entries { ${EVERYTHING} } } }`
  const seen: Entry[] = []
  const batches = tabwire().client().iterate<{ sessionEvents: { entries: Entry[] } }>({ query, variables: { id } })
  for await (const { data } of batches) seen.push(...data!.sessionEvents.entries)
  expect(seen.map(({ cursor }) => cursor)).toEqual(log.map(({ cursor }) => cursor))
})

test('a message and an exception have a location', () => {
  const of = (source: string) => log.filter((entry) => entry.source === source).map(({ location }) => location)
  const here = {
    __typename: 'SourceLocation',
    url: `${site().url}/page/everything`,
    line: expect.any(Number),
    column: expect.any(Number),
  }
  expect([of('CONSOLE'), of('EXCEPTION')]).toEqual([[here], [here]])
})

test.each(['EVENT_SOURCE', 'TEXT_TRACK', 'FETCH'])('requests of the type %s are found by it', async (type) => {
  const query = `query ($id: ID!, $type: ResourceType!) { session(id: $id) {
    networkRequests(filter: { resourceTypes: [$type] }) { nodes { resourceType } } } }`
  const { session } = await tabwire().query<{ session: { networkRequests: { nodes: object[] } } }>(query, { id, type })
  expect(session.networkRequests.nodes).toEqual([{ resourceType: type }])
})
