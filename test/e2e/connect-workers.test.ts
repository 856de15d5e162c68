import { chromium } from 'playwright'
import { expect, test, vi } from 'vitest'
import { startPagesSite } from '../support/pages-site.ts'
import { withApp } from '../support/with-app.ts'

// Beside eight busy loops each of its rounds takes some 12 s, and tells the same (measured).
vi.setConfig({ testTimeout: 300_000 })

const pages = {
  '/': `<title>Waits</title><script>onload = async () => {
      await navigator.serviceWorker.register('/service-worker.js' + location.hash.replace('#', '?'))
      await navigator.serviceWorker.ready
      document.title = 'Ready'
    }</script>`,
  '/service-worker.js': 'onactivate = (event) => event.waitUntil(clients.claim())',
}
const { tabwire, site, start, terminate, cdpUrlOf } = withApp(() => startPagesSite(pages))

test('the response with the script of a service worker reaches each client, and the log', async () => {
  const { id } = await start()
  const url = await cdpUrlOf(id)
  const browsers = [await chromium.connectOverCDP(url), await chromium.connectOverCDP(url)]
  // The order in which the worker receives its sessions' commands differs from run to run.
  for (let count = 0; count < 8; count += 1) {
    const [browser] = browsers
    // Its thread, which receives them, exists only once the script has arrived.
    const isLate = count % 2 === 1
    const context = await browser!.newContext()
    const reported: string[] = []
    context.on('response', (response) => {
      if (response.url().includes('/service-worker.js')) reported.push(`${response.status()}`)
    })
    context.on('requestfinished', (request) => {
      if (request.url().includes('/service-worker.js')) reported.push('finished')
    })
    const page = await context.newPage()
    await page.goto(`${site().url}/${isLate ? '#late=1000' : ''}`)
    await expect.poll(() => page.title()).toBe('Ready')
    await expect.poll(() => reported.slice(-1)).toEqual(['finished'])
    expect([count, reported]).toEqual([count, ['200', 'finished']])
    await context.close()
  }
  for (const browser of browsers) await browser.close()
  const query = `query ($id: ID!) { session(id: $id) { networkRequests(first: 1000) { nodes { url status failure } } } }`
  interface Requests {
    session: { networkRequests: { nodes: { url: string; status: number | null; failure: string | null }[] } }
  }
  const scripts = async () => {
    const { session } = await tabwire().query<Requests>(query, { id })
    return session.networkRequests.nodes.filter(({ url: asked }) => asked.includes('/service-worker.js'))
  }
  await expect.poll(async () => (await scripts()).length).toBe(8)
  for (const script of await scripts()) expect(script).toMatchObject({ status: 200, failure: null })
  await terminate(id)
})
