import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { chromium } from 'playwright'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { actionApi } from '../support/action-api.ts'
import { ofKind, type LoggedEntry } from '../support/connect-api.ts'
import { startPagesSite, type PagesSite } from '../support/pages-site.ts'
import { openSilentPort } from '../support/silent-port.ts'
import { readEntireLog } from '../support/entire-log.ts'
import { withApp } from '../support/with-app.ts'
import { METADATA, NEIGHBOR } from './hosts.ts'

const services: PagesSite[] = []
const pages = {
  '/': '<title>Home</title><a href="/to-metadata">credentials</a><a id="name" href="http://metadata.test/">name</a><a id="file" download href="http://metadata.test/credentials.bin">file</a>',
  '/frame': '<title>Frame</title><iframe src="http://metadata.test/latest"></iframe>',
  '/leaves': '<title>Leaves</title><script>setTimeout(() => { location = "http://neighbor.test/" })</script>',
  '/secure': `<title>Secure</title><script>onload = async () => {
      const settled = (work) => work.then(() => 'reached', () => 'failed')
      const transport = new WebTransport('https://${METADATA}:4433/')
      console.log('transport ' + (await settled(transport.ready)))
      await navigator.serviceWorker.register('/service-worker.js')
      const { active } = await navigator.serviceWorker.ready
      navigator.serviceWorker.onmessage = ({ data }) => console.log('service worker ' + data)
      active.postMessage('go')
    }</script>`,
  '/service-worker.js': `onmessage = ({ source }) => fetch('http://${METADATA}/', { mode: 'no-cors' })
      .then(() => source.postMessage('reached'), () => source.postMessage('failed'))`,
  '/silent': `<title>Silent</title><script>
      const host = location.search.slice(1)
      const told = (from) => new Promise((resolve) => { from.onmessage = resolve })
      onload = async () => {
        for (const scheme of ['http', 'https']) await fetch(scheme + '://' + host + '/page', { mode: 'no-cors' }).catch(() => {})
        await new Promise((resolve) => { new WebSocket('ws://' + host + '/socket').onclose = resolve })
        const worker = new Worker('/silent.js')
        worker.postMessage(host)
        await told(worker)
        await navigator.serviceWorker.register('/silent.js')
        const { active } = await navigator.serviceWorker.ready
        active.postMessage(host)
        await told(navigator.serviceWorker)
        console.log('tried everything')
      }
    </script>`,
  '/silent.js': `onmessage = async ({ data, source }) => {
      const by = 'skipWaiting' in self ? 'service-worker' : 'worker'
      for (const scheme of ['http', 'https']) await fetch(scheme + '://' + data + '/' + by, { mode: 'no-cors' }).catch(() => {})
      ;(source ?? self).postMessage('done')
    }`,
  '/popup': '<title>Popup</title><script>onload = () => open("http://metadata.test/popup")</script>',
}
const { tabwire, site, start, recorded, terminate, get, cdpUrlOf, logOf, untilLogged } = withApp(() =>
  startPagesSite(pages, { '/to-metadata': `http://${METADATA}/latest`, '/twice': '/to-metadata' }),
)
const { run, logged } = actionApi(tabwire)
beforeAll(async () => {
  const secrets = { '*': '<title>Secrets</title><body>CREDENTIALS' }
  for (const address of [METADATA, NEIGHBOR]) services.push(await startPagesSite(secrets, {}, address, 80))
})
afterAll(async () => {
  for (const service of services) await service.close()
})

/** Text of the page, once it has settled. */
async function shown(id: string): Promise<unknown> {
  const [step] = await run(id, [{ evaluate: { expression: '[location.href, document.body?.innerText ?? ""]' } }])
  return step!.result
}

const BLANK = ['about:blank', '']

describe('a start', () => {
  test.each([
    ['that is redirected there', () => `${site().url}/to-metadata`, /169\.254\.169\.254\/latest/],
    ['that is redirected twice', () => `${site().url}/twice`, /169\.254\.169\.254\/latest/],
    ['at a name that leads there', () => 'http://metadata.test/', /metadata\.test/],
    ['at a name of a neighbor', () => 'http://neighbor.test/', /neighbor\.test/],
  ])('%s is BLOCKED', async (_, url, where) => {
    const session = await start({ initialPrompt: url() }, 'LOADED')
    expect(session).toMatchObject({ status: 'RUNNING', error: expect.stringMatching(where) })
    expect(session.error).toMatch(/never opened/)
    await expect.poll(() => shown(session.id)).toEqual(BLANK)
    const [first] = await logged(session.id)
    expect(first).toMatchObject({ type: 'NAVIGATE', origin: 'API', success: false, error: { code: 'BLOCKED' } })
    await expect.poll(() => failuresOf(session.id)).toContainEqual(expect.stringMatching(/^BLOCKED \((cloud|link)/))
    expect(await terminate(session.id)).toMatchObject({ status: 'CLOSED', error: session.error })
  })
})

describe('in a session', () => {
  let id: string
  beforeEach(async () => {
    ;({ id } = await start({ initialPrompt: site().url }, 'LOADED'))
    return () => terminate(id)
  })

  test.each([
    ['navigate, redirected', () => ({ navigate: { url: `${site().url}/to-metadata` } })],
    ['navigate, by a name', () => ({ navigate: { url: 'http://metadata.test/' } })],
    ['navigate, waiting for little', () => ({ navigate: { url: 'http://metadata.test/', waitUntil: 'COMMIT' } })],
  ])('%s: BLOCKED', async (_, step) => {
    const [done, rest] = await run(id, [step(), { evaluate: { expression: 'document.body.innerText' } }])
    expect(done!.error).toMatchObject({ code: 'BLOCKED', message: expect.stringContaining('never opened') })
    expect(rest!.error).toMatchObject({ code: 'SKIPPED' })
    await expect.poll(() => shown(id)).toEqual(BLANK)
  })

  test('openPage, by a name: BLOCKED', async () => {
    const [done] = await run(id, [{ openPage: { url: 'http://metadata.test/' } }])
    expect(done!.error).toMatchObject({ code: 'BLOCKED' })
    await expect.poll(async () => (await get(id))!.pages.map(({ url }) => url)).toContain('about:blank')
  })

  test('a file from there is not kept', async () => {
    await run(id, [{ navigate: { url: 'http://metadata.test/credentials.bin' } }])
    await run(id, [{ navigate: { url: site().url } }, { click: { target: { css: '#file' } } }])
    await expect.poll(() => failuresOf(id)).toEqual(Array(2).fill('BLOCKED (cloud metadata)'))
    await terminate(id)
    const query = `query ($id: ID!) { session(id: $id) { artifacts { nodes { name } }
      events(first: 1000, kinds: [DOWNLOAD]) { nodes { ... on Download { failure } } } } }`
    interface Kept {
      session: { artifacts: { nodes: object[] }; events: { nodes: { failure: string }[] } }
    }
    const { session } = await tabwire().query<Kept>(query, { id })
    expect(session.artifacts.nodes).toEqual([])
    // A document left in time has not even begun to load.
    for (const { failure } of session.events.nodes) expect(failure).toBe('BLOCKED (cloud metadata)')
  })

  test('a page that leads itself there, by links, scripts, frames and popups, leaves', async () => {
    await run(id, [{ click: { target: { css: '#name' } } }])
    await expect.poll(() => shown(id)).toEqual(BLANK)
    await run(id, [{ navigate: { url: `${site().url}/leaves` } }])
    await expect.poll(() => shown(id)).toEqual(BLANK)
    await run(id, [{ navigate: { url: `${site().url}/frame` } }, { navigate: { url: `${site().url}/popup` } }])
    await expect
      .poll(async () => (await get(id))!.pages.map(({ url }) => new URL(url).pathname))
      .toEqual(['/popup', 'blank'])
    const blocked = async () => (await failuresOf(id)).filter((failure) => /BLOCKED/.test(failure))
    await expect
      .poll(blocked)
      .toEqual(
        ['cloud metadata', 'link-local address', 'cloud metadata', 'cloud metadata'].map((rule) => `BLOCKED (${rule})`),
      )
  })

  test('a client that goes there, itself or in a context of its own, is led away, and its action is BLOCKED', async () => {
    const browser = await chromium.connectOverCDP(await cdpUrlOf(id))
    const own = browser.contexts()[0]!.pages()[0]!
    const other = await (await browser.newContext()).newPage()
    for (const page of [own, other]) {
      for (const url of [`${site().url}/to-metadata`, 'http://metadata.test/']) {
        // However the library reports it: the page was navigated elsewhere.
        await page.goto(url).catch(() => null)
        await expect.poll(() => page.url()).toBe('about:blank')
        await expect.poll(() => page.content().catch(String)).toBe('<html><head></head><body></body></html>')
      }
    }
    await browser.close()
    const actsIn = (entries: LoggedEntry[]) =>
      ofKind(entries, 'Action').filter(({ origin, type }) => origin === 'CLIENT' && type === 'NAVIGATE')
    const log = await untilLogged(
      id,
      (entries) => ofKind(entries, 'ClientDetached').length > 0 && actsIn(entries).length >= 4,
    )
    expect(actsIn(log).map(({ error }) => (error as { code: string } | null)?.code)).toEqual(Array(4).fill('BLOCKED'))
  })
})

test('neither service workers nor QUIC go around the proxy of a session that narrows', async () => {
  const datagrams: string[] = []
  const socket = createSocket('udp4').on('message', (data) => datagrams.push(data.toString('latin1')))
  socket.bind(4433, METADATA)
  await once(socket, 'listening')
  const [metadata] = services
  const secretsAsked = () => metadata!.asked.filter((path) => path === '/').length
  const lines = async (id: string) => (await logOf(id)).flatMap(({ text }) => (typeof text === 'string' ? text : []))
  try {
    const before = secretsAsked()
    const narrowed = await start({ initialPrompt: `${site().url}/secure`, allowedHosts: ['127.0.0.1', METADATA] })
    const said = expect.arrayContaining(['transport failed', 'service worker failed'])
    await expect.poll(() => lines(narrowed.id)).toEqual(said)
    expect([datagrams.length, secretsAsked() - before]).toEqual([0, 0])
    await expect.poll(() => failuresOf(narrowed.id)).toContain('BLOCKED (cloud metadata)')
    // Control: without a proxy, both get there.
    const open = await start({ initialPrompt: `${site().url}/secure` })
    await expect.poll(() => lines(open.id)).toContain('service worker reached')
    expect([datagrams.length > 0, secretsAsked() - before]).toEqual([true, 1])
    for (const { id } of [narrowed, open]) await terminate(id)
  } finally {
    socket.close()
  }
})

test('a host that does not answer: the log says the same with and without a proxy', async () => {
  const silent = await openSilentPort()
  try {
    const url = `http://127.0.0.1:${silent.port}/`
    const failures = await Promise.all(
      [{}, { allowedHosts: ['127.0.0.1'] }].map(async (input) => {
        const { id } = await start(input)
        const [step] = await run(id, [{ navigate: { url } }])
        await recorded(id)
        const entries = await failuresOf(id)
        await terminate(id)
        return [step!.error, entries]
      }),
    )
    const message = `${url} could not be loaded: net::ERR_CONNECTION_TIMED_OUT.`
    const said = [{ code: 'NAVIGATION_FAILED', message }, ['net::ERR_CONNECTION_TIMED_OUT']]
    expect(failures).toEqual([said, said])
  } finally {
    await silent.close()
  }
})

test('nor do pages, workers and sockets get an answer from it, and the log says the same of each', async () => {
  const silent = await openSilentPort()
  const host = `127.0.0.1:${silent.port}`
  try {
    const logs = await Promise.all(
      [{}, { allowedHosts: ['127.0.0.1'] }].map(async (input) => {
        const { id } = await start({ initialPrompt: `${site().url}/silent?${host}`, ...input })
        const lines = async () => ofKind(await logOf(id), 'ConsoleMessage').map(({ text }) => text)
        await expect.poll(lines).toContain('tried everything')
        await recorded(id)
        await terminate(id)
        const fields = '... on NetworkRequest { url failure } ... on WebSocketClosed { url errorMessage }'
        const entries = await readEntireLog<{ url?: string }>(tabwire(), id, fields)
        return entries
          .filter(({ url }) => url !== undefined && new URL(url).host === host)
          .map((entry) => JSON.stringify(entry))
      }),
    )
    const failure = 'net::ERR_CONNECTION_TIMED_OUT'
    const request = (url: string) => JSON.stringify({ url: url.replace('host', host), failure })
    const socket = { url: `ws://${host}/socket`, errorMessage: `Error in connection establishment: ${failure}` }
    const said = ['page', 'worker', 'service-worker'].flatMap((by) => [
      request(`http://host/${by}`),
      request(`https://host/${by}`),
    ])
    for (const log of logs) expect(log.sort()).toEqual([...said, JSON.stringify(socket)].sort())
  } finally {
    await silent.close()
  }
})

async function failuresOf(id: string): Promise<string[]> {
  const requests = await readEntireLog<{ failure: string | null }>(tabwire(), id, 'failure', {
    connection: 'networkRequests',
  })
  return requests.flatMap(({ failure }) => failure ?? [])
}
