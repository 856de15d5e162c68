import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RequestTextsReader } from '../../src/contract/entries/request-texts-reader.ts'
import { textsOfRequest } from '../../src/contract/entries/request-texts.ts'
import { startPostgres, type TestPostgres } from '../support/databases.ts'
import { leakGate } from '../support/leak-gate.ts'
import { sessionApi } from '../support/session-api.ts'
import { startExchangeSite, type ExchangeSite } from '../support/site-exchanges.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'
import { readEntireLog } from '../support/entire-log.ts'

leakGate()

let postgres: TestPostgres
let tabwire: TestApp
let site: ExchangeSite
const { start, terminate } = sessionApi(() => tabwire)

beforeAll(async () => {
  postgres = await startPostgres()
  site = await startExchangeSite(() => ({
    '/': `<img src="/image"><script>
      const send = { method: 'POST', body: JSON.stringify({ a: 'Zoë "1"' }), headers: { 'content-type': 'application/json' } }
      Promise.all([fetch('/echo', send), fetch('/missing?a=1'), fetch('http://127.0.0.1:1/').catch(() => {})])
        .then(() => fetch('/moved'))
        .then(() => console.log('asked'))
    </script>`,
    '/echo': (response) =>
      response
        .writeHead(200, { 'content-type': 'application/json', 'set-cookie': 'a=1; HttpOnly; SameSite=Lax; Max-Age=60' })
        .end('{"said":"\\u2028"}'),
    '/image': (response) => response.writeHead(200, { 'content-type': 'image/gif' }).end('GIF89a'),
    '/moved': (response) => response.writeHead(302, { location: '/echo' }).end(),
  }))
  tabwire = await startTestApp({ database: { kind: 'server', url: postgres.url }, warmBrowsers: 0 })
})

afterAll(async () => {
  await tabwire?.close()
  await site?.close()
  await postgres?.close()
})

test('requests are stored in the form that exports read without parsing them', async () => {
  const { id } = await start({ initialPrompt: site.url })
  const said = () => readEntireLog<{ text: string }>(tabwire, id, 'text', { connection: 'consoleMessages' })
  await expect.poll(said).toContainEqual({ text: 'asked' })
  await terminate(id)
  const client = new pg.Client({ connectionString: postgres.url })
  await client.connect()
  const { rows } = await client.query<{ content: string }>(
    'select content::text from log_entries where content is not null order by session_id, sequence',
  )
  await client.end()
  const contents = rows.map(({ content }) => content)
  const paths = contents.map((content) => new URL((JSON.parse(content) as { url: string }).url).pathname)
  expect(paths).toEqual(expect.arrayContaining(['/', '/echo', '/missing', '/moved', '/image']))
  const reader = new RequestTextsReader()
  expect(contents.map((content) => reader.read(content))).toEqual(
    contents.map((content) => textsOfRequest(JSON.parse(content) as never)),
  )
})
