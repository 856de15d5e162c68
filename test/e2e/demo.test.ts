import { once } from 'node:events'
import { expect, test } from 'vitest'
import WebSocket from 'ws'
import { startTestSite } from '../support/test-site.ts'
import { readEntireLog } from '../support/entire-log.ts'
import { withApp } from '../support/with-app.ts'

const { tabwire, start, terminate } = withApp(startTestSite)

const FIELDS = `__typename
  ... on ConsoleMessage { level source text }
  ... on NetworkRequest { url status }
  ... on WebSocketClosed { framesSent framesReceived }`

interface Entry {
  __typename: string
  level?: string
  source?: string
  text?: string
  url?: string
  status?: number
  framesSent?: number
  framesReceived?: number
}

test('a session on the demo page has one of everything in its log', async () => {
  const demo = `${tabwire().url}/demo/`
  const { id } = await start({ initialPrompt: demo }, 'LOADED')
  const log = () => readEntireLog<Entry>(tabwire(), id, FIELDS)
  const expected = [
    ...['DEBUG', 'LOG', 'INFO', 'WARNING', 'ERROR'].map((level) => ({ source: 'CONSOLE', level })),
    { source: 'CONSOLE', text: 'the WebSocket echoed: are the lamps in stock?' },
    { source: 'EXCEPTION', level: 'ERROR' },
    { __typename: 'NetworkRequest', url: `${demo}products.json`, status: 200 },
    { __typename: 'NetworkRequest', url: `${demo}orders/42`, status: 500 },
    { __typename: 'WebSocketClosed', framesSent: 1, framesReceived: 1 },
  ]
  const isMatch = (entry: Entry, wanted: Partial<Entry>) =>
    Object.entries(wanted).every(([name, value]) => entry[name as keyof Entry] === value)
  const missing = async () => {
    const entries = await log()
    return expected.filter((wanted) => !entries.some((entry) => isMatch(entry, wanted)))
  }
  await expect.poll(missing, { timeout: 60_000 }).toEqual([])
  // Its policy does not block anything that it does.
  expect((await log()).filter(({ text }) => text?.includes('Content Security Policy'))).toEqual([])
  await terminate(id)
})

test('a step finds the products of the demo page', async () => {
  const { id } = await start({ initialPrompt: `${tabwire().url}/demo` }, 'LOADED')
  const query = `mutation ($id: ID!) { runActions(sessionId: $id, actions: [
    { fill: { target: { label: "Search" }, value: "lamp" } }
    { click: { target: { role: { role: "button", name: "Search" } } } }
    { extract: { target: { css: ".result" }, as: LIST, fields: { name: "h2", price: ".price" } } }
    { click: { target: { role: { role: "button", name: "Order" } } } }
    { wait: { target: { text: "The payment provider did not respond" } } }
  ]) { success error { message } result } }`
  const { runActions } = await tabwire().query<{ runActions: { success: boolean; result: unknown }[] }>(query, { id })
  expect(runActions.map(({ success }) => success)).toEqual(runActions.map(() => true))
  expect(runActions[2]?.result).toEqual([
    { name: 'Desk lamp', price: '€39' },
    { name: 'Floor lamp', price: '€89' },
  ])
  await terminate(id)
})

test('its files need no key, allow no other host, and change nothing', async () => {
  const response = await fetch(`${tabwire().url}/demo`)
  expect([response.status, response.url]).toEqual([200, `${tabwire().url}/demo/`])
  const policy = response.headers.get('content-security-policy')
  expect(policy).toContain("default-src 'none'")
  expect(policy).not.toMatch(/unsafe|https?:|\*/)
  await response.text()
  for (const [path, method] of [
    ['/demo/', 'POST'],
    ['/demo/nothing', 'GET'],
    ['/demo/constructor', 'GET'],
  ]) {
    const refused = await fetch(tabwire().url + path!, { method: method! })
    expect(refused.status).toBe(404)
    await refused.text()
  }
})

test('the echo takes a few short messages', async () => {
  const url = `${tabwire().url.replace('http', 'ws')}/demo/echo`
  const many = new WebSocket(url)
  await once(many, 'open')
  const echoed: string[] = []
  many.on('message', (data: Buffer) => echoed.push(data.toString()))
  for (let sent = 1; sent <= 21; sent += 1) many.send(`${sent}`)
  expect((await once(many, 'close'))[0]).toBe(1008)
  expect(echoed).toEqual(Array.from({ length: 20 }, (_, index) => `${index + 1}`))

  const large = new WebSocket(url)
  await once(large, 'open')
  large.send('x'.repeat(1_025))
  expect((await once(large, 'close'))[0]).toBe(1009)
})
