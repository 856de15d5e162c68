import { expect, test } from 'vitest'
import { encodeGlobalId } from '../../src/contract/global-id.ts'
import { WAIT_LIMITS } from '../support/time-limits.ts'
import { startSocketSite } from '../support/site-sockets.ts'
import { readEntireLog } from '../support/entire-log.ts'
import { withApp } from '../support/with-app.ts'

const SCRIPTS = { twice: `for (const path of ['/events', '/events/other']) new EventSource(path)` }

const { tabwire, site, start, terminate } = withApp(() => startSocketSite(SCRIPTS), { warmBrowsers: 0 })

interface Batch {
  networkRequestId: string
  url: string
  pageId: string | null
  streamMessages: { data: string }[]
}

const FIELDS = 'networkRequestId url pageId omittedReceived streamMessages { at eventName data }'

const FOLLOW = `subscription ($id: ID!, $filter: EventSourceFilter) {
  eventSourceMessages(sessionId: $id, filter: $filter) { entries { ${FIELDS} } } }`

/** As received by a live reader, to the end of the session. */
async function followed(id: string, filter: object | null = null): Promise<Batch[]> {
  const batches: Batch[] = []
  const results = tabwire().client().iterate<{ eventSourceMessages: { entries: Batch[] } }>({
    query: FOLLOW,
    variables: { id, filter },
  })
  for await (const { data } of results) batches.push(...data!.eventSourceMessages.entries)
  return batches
}

const history = (id: string, filter = '') =>
  readEntireLog<Batch>(tabwire(), id, FIELDS, {
    connection: 'eventSourceMessages',
    only: filter === '' ? '' : `filter: {${filter}}`,
  })
const events = (batches: readonly Batch[]) => batches.flatMap(({ streamMessages }) => streamMessages)

test('server-sent events are followed and paged through, all or those that are wanted', async () => {
  const { id } = await start({ initialPrompt: `${site().url}/page/twice` }, 'LOADED')
  const seen = followed(id)
  await expect.poll(async () => events(await history(id)).length, WAIT_LIMITS).toBe(6)
  const isOther = ({ url }: Batch) => url === `${site().url}/events/other`
  const { networkRequestId } = (await history(id)).find(isOther)!
  // Of a live session entries are read from memory, later from the database.
  const live = [{ networkRequestId }, { textContains: 'two' }, { pageId: 'p2' }].map((filter) => followed(id, filter))
  await terminate(id)
  const kept = await history(id)
  expect(await seen).toEqual(kept)

  const other = kept.filter(isOther)
  expect(events(other)).toHaveLength(3)
  const withTwo = kept.filter(({ streamMessages }) => streamMessages.some(({ data }) => data.includes('two')))
  expect(await Promise.all(live)).toEqual([other, withTwo, []])
  expect(await history(id, `networkRequestId: "${networkRequestId}"`)).toEqual(other)
  expect(await followed(id, { networkRequestId })).toEqual(other)
  expect(await history(id, 'textContains: "two\\nlines"')).toEqual(
    kept.filter(({ streamMessages }) => streamMessages.some(({ data }) => data === 'two\nlines')),
  )
  expect(await history(id, 'textContains: "TWO"')).toEqual([])
  expect(await history(id, 'pageId: "p2"')).toEqual([])
  expect(await history(id, 'networkRequestId: null, pageId: "p1"')).toEqual(kept)
})

test('an id that is no request of the session is refused', async () => {
  const { id } = await start()
  const elsewhere = encodeGlobalId('NetworkRequest', '00000000-0000-4000-8000-000000000000', 1)
  const query = `query ($id: ID!, $request: ID!) {
    session(id: $id) { eventSourceMessages(filter: { networkRequestId: $request }) { nodes { url } } } }`
  const refusal = {
    code: 'BAD_USER_INPUT',
    issues: [{ path: ['filter', 'networkRequestId'], code: 'UNKNOWN_VALUE' }],
  }
  for (const request of ['nonsense', id, elsewhere]) {
    const { errors } = await tabwire().send(query, { id, request })
    expect(errors).toMatchObject([{ extensions: refusal }])
    const [result] = await Array.fromAsync(
      tabwire()
        .client()
        .iterate({ query: FOLLOW, variables: { id, filter: { networkRequestId: request } } }),
    )
    expect(result?.errors).toMatchObject([{ extensions: refusal }])
  }
})
