import { chromium } from 'playwright'
import puppeteer from 'puppeteer-core'
import { expect, onTestFinished, test } from 'vitest'
import { actionApi, outcomes } from '../support/action-api.ts'
import { CdpSocket, type CdpAnswer } from '../support/cdp-socket.ts'
import { startActionPages } from '../support/site-actions.ts'
import { withApp } from '../support/with-app.ts'

const { tabwire, site, start, terminate, cdpUrlOf } = withApp(startActionPages)
const { run } = actionApi(tabwire)

async function startSession(): Promise<string> {
  const { id } = await start({ initialPrompt: `${site().url}/form` }, 'LOADED')
  onTestFinished(async () => void (await terminate(id)))
  return id
}

interface World {
  id: number
  uniqueId: string
  name: string
  auxData: { isDefault: boolean }
}

const worldsIn = (events: readonly CdpAnswer[], sessionId: string) =>
  events
    .filter((event) => event.method === 'Runtime.executionContextCreated' && event.sessionId === sessionId)
    .map(({ params }) => params!['context'] as World)

test('a client hears of its own worlds alone, wherever the page goes', async () => {
  const id = await startSession()
  await using client = await CdpSocket.connect(await cdpUrlOf(id))
  const { sessionId } = await client.attachToPage()
  await client.send('Runtime.enable', {}, sessionId)
  await client.send('Debugger.enable', {}, sessionId)
  await client.send('Page.enable', {}, sessionId)
  const other = new URL(site().url)
  other.hostname = 'localhost'
  // To another process and back, and steps that make scripts in our own world.
  for (const origin of [other.origin, site().url]) {
    await client.send('Page.navigate', { url: `${origin}/form` }, sessionId)
    expect(outcomes(await run(id, [{ fill: { target: { css: '#user' }, value: 'Ada' } }]))).toEqual(['DONE'])
  }
  await client.send('Runtime.evaluate', { expression: '1' }, sessionId)
  const worlds = worldsIn(client.events, sessionId)
  expect(worlds.length).toBeGreaterThanOrEqual(3)
  expect(worlds.filter(({ auxData }) => !auxData.isDefault)).toEqual([])
  const known = new Set(worlds.map((world) => world.id))
  const scripts = client.events.filter(({ method }) => method === 'Debugger.scriptParsed')
  expect(scripts.filter(({ params }) => !known.has(params!['executionContextId'] as number))).toEqual([])
  expect(scripts.map(({ params }) => params!['url'])).toContain(`${other.origin}/form`)
  expect(scripts.map(({ params }) => params!['url'])).toContain(`${site().url}/form`)
  const ended = client.events.filter(({ method }) => method === 'Runtime.executionContextDestroyed')
  expect(ended.filter(({ params }) => !known.has(params!['executionContextId'] as number))).toEqual([])
})

test('numbers that a client guesses lead into no world of ours, whether it listens or not', async () => {
  const id = await startSession()
  expect(outcomes(await run(id, [{ fill: { target: { css: '#user' }, value: 'Ada' } }]))).toEqual(['DONE'])
  for (const listens of [true, false]) {
    await using client = await CdpSocket.connect(await cdpUrlOf(id))
    const { sessionId } = await client.attachToPage()
    if (listens) await client.send('Runtime.enable', {}, sessionId)
    const expression = `typeof globalThis.__tabwireMain`
    await client.send('Runtime.evaluate', { expression: 'globalThis.__tabwireMain = 1' }, sessionId)
    const found: string[] = []
    for (let contextId = 1; contextId < 40; contextId += 1) {
      const { result, error } = await client.ask('Runtime.evaluate', { expression, contextId }, sessionId)
      if (error) expect(error.message).toBe('Cannot find context with specified id')
      else found.push((result!['result'] as { value: string }).value)
    }
    // The page's own.
    expect(found).toEqual(['number'])
  }
})

test('libraries find their own worlds, two at once', async () => {
  const id = await startSession()
  const browser = await chromium.connectOverCDP(await cdpUrlOf(id))
  onTestFinished(() => browser.close())
  const puppet = await puppeteer.connect({ browserWSEndpoint: await cdpUrlOf(id), defaultViewport: null })
  onTestFinished(() => puppet.disconnect())
  const page = browser.contexts()[0]!.pages()[0]!
  const [same] = await puppet.pages()
  await page.fill('#user', 'Ada')
  expect(await same!.$eval('#user', (input) => (input as HTMLInputElement).value)).toBe('Ada')
  await same!.goto(`${site().url}/frames`)
  await page.frameLocator('#outer').frameLocator('[name=inner]').getByRole('button').click()
  expect(outcomes(await run(id, [{ click: { target: { css: 'iframe#outer >> iframe >> button' } } }]))).toEqual([
    'DONE',
  ])
})
