import puppeteer from 'puppeteer-core'
import { chromium } from 'playwright'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CdpSocket } from '../support/cdp-socket.ts'
import { leakGate } from '../support/leak-gate.ts'
import { sessionApi } from '../support/session-api.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'
import { startTestSite, type TestSite } from '../support/test-site.ts'

leakGate()

let tabwire: TestApp
let site: TestSite
const { start, terminate, get } = sessionApi(() => tabwire)

beforeAll(async () => {
  site = await startTestSite()
  tabwire = await startTestApp()
})

afterAll(async () => {
  await tabwire?.close()
  await site?.close()
})

async function cdpUrlOf(id: string, ttlSeconds = 60): Promise<string> {
  const query = `query ($id: ID!, $ttlSeconds: Int!) { session(id: $id) { access(ttlSeconds: $ttlSeconds) { cdpUrl } } }`
  const { session } = await tabwire.query<{ session: { access: { cdpUrl: string } } }>(query, { id, ttlSeconds })
  return session.access.cdpUrl
}

interface Entry {
  __typename: string
  [member: string]: unknown
}

async function logOf(id: string): Promise<Entry[]> {
  const query = `query ($id: ID!) { session(id: $id) { events(first: 1000) { nodes {
    __typename sequence
    ... on Action { type origin success details pageId }
    ... on ClientAttached { clientId name }
    ... on ClientDetached { clientId name reason commandCount }
    ... on ConsoleMessage { text pageId }
    ... on Navigation { url pageId }
    ... on PageOpened { pageId }
    ... on StatusChange { to }
    ... on Dialog { message accepted }
    ... on Download { suggestedFilename artifactId: artifact { id sizeBytes } }
  } } } }`
  const { session } = await tabwire.query<{ session: { events: { nodes: Entry[] } } }>(query, { id })
  return session.events.nodes
}

/** Waits until the log has what is wanted. */
async function untilLogged(id: string, isThere: (log: Entry[]) => boolean): Promise<Entry[]> {
  let log: Entry[] = []
  await expect
    .poll(async () => isThere((log = await logOf(id))), { timeout: 15_000, message: 'the log has what is wanted' })
    .toBe(true)
  return log
}

const ofKind = (log: Entry[], kind: string) => log.filter(({ __typename }) => __typename === kind)

describe('Playwright', () => {
  test('connects by ws and by http, finds the page, drives it, is recorded, and leaves the session alive', async () => {
    const session = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
    const url = await cdpUrlOf(session.id)
    for (const endpoint of [url, url.replace('ws://', 'http://')]) {
      const browser = await chromium.connectOverCDP(endpoint)
      const [context] = browser.contexts()
      const [page] = context!.pages()
      expect(await page!.title()).toBe('A title')
      await page!.goto(`${site.url}/console`)
      await page!.evaluate(() => console.log('said through the client'))
      const other = await context!.newPage()
      await other.goto(`${site.url}/title?second`)
      await other.evaluate(() => console.log('said on the second page'))
      await other.close()
      await browser.close()
    }
    expect((await get(session.id))!.status).toBe('RUNNING')
    const log = await untilLogged(session.id, (entries) => ofKind(entries, 'ClientDetached').length === 2)
    expect(ofKind(log, 'ClientAttached')).toHaveLength(2)
    expect(String(ofKind(log, 'ClientAttached')[0]!['name'])).toMatch(/Playwright/)
    expect(ofKind(log, 'ConsoleMessage').map((entry) => entry['text'])).toEqual(
      expect.arrayContaining(['said through the client', 'said on the second page']),
    )
    expect(ofKind(log, 'Action').map((entry) => [entry['origin'], entry['type'], entry['success']])).toEqual(
      expect.arrayContaining([['CLIENT', 'NAVIGATE', true]]),
    )
    await terminate(session.id)
  })
})

describe('Puppeteer', () => {
  test('connects, finds the page, opens another, and leaves by close', async () => {
    const session = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
    const browser = await puppeteer.connect({ browserWSEndpoint: await cdpUrlOf(session.id), defaultViewport: null })
    const [page] = await browser.pages()
    expect(await page!.title()).toBe('A title')
    const other = await browser.newPage()
    await other.goto(`${site.url}/title`)
    expect(await other.evaluate('innerWidth')).toBe(1920)
    await browser.close()
    expect((await get(session.id))!.status).toBe('RUNNING')
    await terminate(session.id)
  })
})

describe('a bare WebSocket', () => {
  test('speaks the protocol; the end of the session closes it with 4001, and the link is dead', async () => {
    const session = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
    const url = await cdpUrlOf(session.id)
    await using client = await CdpSocket.connect(url)
    const { sessionId } = await client.attachToPage()
    expect(await client.send('Runtime.evaluate', { expression: '6 * 7' }, sessionId)).toMatchObject({
      result: { value: 42 },
    })
    await terminate(session.id)
    expect(await client.closed).toMatchObject({ code: 4001, reason: expect.stringContaining('TERMINATED') as string })
    await expect(CdpSocket.connect(url)).rejects.toThrow('401')
  })
})
