import { expect, test } from 'vitest'
import { startPagesSite } from '../support/pages-site.ts'
import { withApp } from '../support/with-app.ts'

const pages = {
  '/': `<title>Asks</title><script>onload = async () => {
      const controlled = new Promise((resolve) => { navigator.serviceWorker.oncontrollerchange = resolve })
      await navigator.serviceWorker.register('/service-worker.js')
      await controlled
      await Promise.all([fetch('/kept'), fetch('/plain')])
    }</script>`,
  '/service-worker.js': `onactivate = (event) => event.waitUntil(clients.claim())
    onfetch = (event) => { if (event.request.url.endsWith('/kept')) event.respondWith(new Response('kept')) }`,
  '/plain': 'plain',
}
const { tabwire, site, start, terminate } = withApp(() => startPagesSite(pages))

test('a request that a service worker answers is one that the network did not', async () => {
  const { id } = await start({ initialPrompt: site().url })
  interface Requests {
    session: { networkRequests: { nodes: { url: string; fromCache: boolean }[] } }
  }
  const query = `query ($id: ID!) { session(id: $id) { networkRequests(first: 100) { nodes { url fromCache } } } }`
  const asked = async (path: string) => {
    const { session } = await tabwire().query<Requests>(query, { id })
    return session.networkRequests.nodes.filter(({ url }) => url.endsWith(path)).map(({ fromCache }) => fromCache)
  }
  await expect.poll(() => asked('/kept')).toContain(true)
  await expect.poll(() => asked('/plain')).toContain(false)
  expect(site().asked).not.toContain('/kept')
  await terminate(id)
})
