import { expect, test } from 'vitest'
import { CdpSocket, type CdpAnswer } from '../support/cdp-socket.ts'
import { ofKind, type LoggedEntry } from '../support/connect-api.ts'
import { startPagesSite } from '../support/pages-site.ts'
import { readEntireLog } from '../support/entire-log.ts'
import { withApp } from '../support/with-app.ts'

const { tabwire, site, start, terminate, get, cdpUrlOf, untilLogged } = withApp(() =>
  startPagesSite({ '/': '<title>Allowed</title>', '/other': 'other' }),
)

test(
  'requests that a client has sent elsewhere are recorded with what became of them there',
  { timeout: 180_000 },
  async () => {
    const { host } = new URL(site().url)
    const session = await start({ initialPrompt: site().url, allowedHosts: [host, '*.invalid'] }, 'LOADED')
    await using client = await CdpSocket.connect(await cdpUrlOf(session.id))
    const { sessionId } = await client.attachToPage()
    await client.send('Fetch.enable', { patterns: [{ urlPattern: '*/sent*' }] }, sessionId)
    const rewrite = async (sent: string, url: string) => {
      const isPaused = ({ method, params }: CdpAnswer) =>
        method === 'Fetch.requestPaused' && JSON.stringify(params).includes(sent)
      const paused = await client.event(isPaused)
      await client.send('Fetch.continueRequest', { requestId: paused.params!['requestId'], url }, sessionId)
    }
    const fetched = (url: string) => ({
      expression: `fetch('${url}', { mode: 'no-cors' }).then(() => 'arrived', () => 'failed')`,
      awaitPromise: true,
    })
    // The name leads to an address that is not allowed, which only the proxy finds out.
    const blocked = client.send('Runtime.evaluate', fetched('/sent-1'), sessionId)
    await rewrite('/sent-1', 'http://localhost:8080/')
    expect(await blocked).toMatchObject({ result: { value: 'failed' } })
    const arrived = client.send('Runtime.evaluate', fetched('http://nowhere.invalid/sent-2'), sessionId)
    await rewrite('/sent-2', `${site().url}/other`)
    expect(await arrived).toMatchObject({ result: { value: 'arrived' } })
    const pendingRequests = async () => (await get(session.id))!.pendingRequestCount
    // Its body may still be on the way, which the navigation would cut off.
    await expect.poll(pendingRequests).toBe(0)
    const navigated = client.ask('Page.navigate', { url: `${site().url}/sent-3` }, sessionId)
    await rewrite('/sent-3', 'http://localhost:8080/')
    await navigated
    const log = await untilLogged(session.id, (entries) => ofKind(entries, 'Action').length === 1)
    expect(ofKind(log, 'Action')).toMatchObject([{ type: 'NAVIGATE', error: { code: 'BLOCKED' } }])
    await expect.poll(pendingRequests).toBe(0)
    await terminate(session.id)
    const fields = '... on NetworkRequest { url status failure remoteAddress }'
    const requests = await readEntireLog<LoggedEntry>(tabwire(), session.id, fields)
    const of = (part: string) => requests.find(({ url }) => String(url).includes(part))
    expect(of('/sent-1')).toMatchObject({ failure: 'BLOCKED (allowedHosts)' })
    expect(of('/sent-2')).toMatchObject({ status: 200, failure: null, remoteAddress: host })
    expect(of('/sent-3')).toMatchObject({ failure: 'BLOCKED (allowedHosts)' })
  },
)
