import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Page } from 'playwright'
import type { Workbench } from './benchmark.ts'
import type { GraphqlClient } from './graphql-client.ts'
import { untilWarm } from './warm-pool.ts'

/** A form and a list: six hundred nodes of the accessibility tree to observe. */
const ROWS = Array.from(
  { length: 198 },
  (_, row) => `<li><a href="/item/${row}">Item ${row}</a> <b>${row} left</b></li>`,
)
const PAGE = `<!doctype html><title>shop</title><link rel="icon" href="data:,">
<button id="more" onclick="count.textContent = 1 + Number(count.textContent)">More</button>
<label>Search <input id="search"></label><p id="count">0</p><ul>${ROWS.join('')}</ul>`

/** The same page twice: in a bare Playwright browser, and in a session. */
export interface DrivenPage extends AsyncDisposable {
  bare: Page
  client: GraphqlClient
  sessionId: string
}

const START = `mutation ($url: String!) {
  startSession(input: { initialPrompt: $url, idleTimeoutSeconds: 1800 }, waitUntil: LOADED) { id }
}`

export async function openDrivenPage(workbench: Workbench): Promise<DrivenPage> {
  const site = createServer((_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end(PAGE))
  site.listen(0, '127.0.0.1')
  await once(site, 'listening')
  const url = `http://127.0.0.1:${(site.address() as AddressInfo).port}/`
  const context = await workbench.browser.newContext({ viewport: { width: 1920, height: 1080 } })
  const bare = await context.newPage()
  await bare.goto(url)
  const { client } = await workbench.startServer()
  const { startSession } = await client.query<{ startSession: { id: string } }>(START, { url })
  await untilWarm(client)
  return {
    bare,
    client,
    sessionId: startSession.id,
    async [Symbol.asyncDispose]() {
      await context.close()
      site.closeAllConnections()
      site.close()
      await once(site, 'close')
    },
  }
}
