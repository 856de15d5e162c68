import { once } from 'node:events'
import { Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import pino from 'pino'
import { chromium } from 'playwright'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import yauzl from 'yauzl'
import { actionApi } from '../support/action-api.ts'
import { connectApi } from '../support/connect-api.ts'
import { contentOf } from '../support/folder-content.ts'
import { leakGate } from '../support/leak-gate.ts'
import { sessionApi } from '../support/session-api.ts'
import { CREDENTIALS, startOptionsSite, type OptionsSite } from '../support/site-options.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'
import { readEntireLog } from '../support/entire-log.ts'

leakGate()

const SECRETS = [
  CREDENTIALS.password,
  JSON.stringify(CREDENTIALS.password).slice(1, -1),
  Buffer.from(`${CREDENTIALS.username}:${CREDENTIALS.password}`).toString('base64'),
]

let site: OptionsSite
let app: TestApp
/** Output of the server's log. */
let written = ''
const { start, terminate, get } = sessionApi(() => app)
const { run } = actionApi(() => app)
const { cdpUrlOf } = connectApi(() => app)

beforeAll(async () => {
  site = await startOptionsSite()
  const log = new Writable({
    write(chunk: Buffer, _, done) {
      written += chunk.toString()
      done()
    },
  })
  // Recordings are finished, however slow the machine is.
  app = await startTestApp({ warmBrowsers: 1 }, pino({ level: 'trace' }, log), { deadlines: { files: 60_000 } })
})

afterAll(async () => {
  await app.close()
  await site.close()
})

interface Request {
  url: string
  status: number | null
  requestHeaders: Record<string, string>
  responseHeaders: Record<string, string> | null
}

const requestsOf = (id: string) =>
  readEntireLog<Request>(app, id, 'url status requestHeaders responseHeaders', { connection: 'networkRequests' })

const statusesOf = async (id: string, path: string) =>
  (await requestsOf(id)).filter(({ url }) => new URL(url).pathname === path).map(({ status }) => status)

/** Result of a page's request. */
async function fetched(id: string, expression: string, pageId = 'p1'): Promise<unknown> {
  const [step] = await run(id, [{ evaluate: { expression } }], pageId)
  expect(step!.error).toBeNull()
  return step!.result
}

/** The files of an archive, by name. */
async function unzipped(bytes: Buffer): Promise<Map<string, string>> {
  const archive = await promisify<Buffer, yauzl.Options, yauzl.ZipFile>(yauzl.fromBuffer)(bytes, { lazyEntries: true })
  const files = new Map<string, string>()
  archive.on('entry', (entry: yauzl.Entry) =>
    archive.openReadStream(entry, (error, stream) => {
      if (error) throw error
      void text(stream).then((content) => {
        files.set(entry.fileName, content)
        archive.readEntry()
      })
    }),
  )
  const ended = once(archive, 'end')
  archive.readEntry()
  await ended
  return files
}

async function artifactsOf(id: string): Promise<Map<string, Buffer>> {
  const query = `query ($id: ID!) { session(id: $id) { artifacts { nodes { kind url } } } }`
  const { session } = await app.query<{ session: { artifacts: { nodes: { kind: string; url: string }[] } } }>(query, {
    id,
  })
  const bytes = session.artifacts.nodes.map(async ({ kind, url }) => {
    return [kind, Buffer.from(await (await fetch(url)).arrayBuffer())] as const
  })
  return new Map(await Promise.all(bytes))
}

const expectNoSecret = (what: string, content: string) => {
  for (const secret of SECRETS) expect([what, content.includes(secret)]).toEqual([what, false])
}

describe('credentials of a session', () => {
  test('open pages, popups, those of clients, and what workers ask for', async () => {
    const { id } = await start({ httpCredentials: CREDENTIALS, initialPrompt: `${site.url}/private/` }, 'LOADED')
    await expect.poll(async () => (await get(id))?.title).toBe('Page')
    expect(await fetched(id, `fetched('/private/page')`)).toBe(200)
    const { worker, shared, service } = (await fetched(id, `askWorkers('/private/worker')`)) as Record<string, object>
    expect([worker, shared, service]).toMatchObject([{ fetched: 200 }, { fetched: 200 }, { fetched: 200 }])
    await fetched(id, `void open('/private/popup', '_blank', 'noopener')`)
    await expect.poll(() => statusesOf(id, '/private/popup')).toContain(200)
    const browser = await chromium.connectOverCDP(await cdpUrlOf(id))
    const page = await browser.contexts()[0]!.newPage()
    expect((await page.goto(`${site.url}/private/client`))?.status()).toBe(200)
    await browser.close()
    await terminate(id)
  })

  test('are given to no other origin', async () => {
    const { id } = await start({ httpCredentials: CREDENTIALS, initialPrompt: `${site.url}/private/` }, 'LOADED')
    await run(id, [{ navigate: { url: `${site.elsewhere}/private/elsewhere` } }])
    await expect.poll(() => statusesOf(id, '/private/elsewhere')).toEqual([401])
    expect(site.authorizationsFor('/private/elsewhere')).toEqual([undefined])
    const other = await start({ httpCredentials: { ...CREDENTIALS, origin: site.elsewhere } })
    await run(other.id, [{ navigate: { url: `${site.elsewhere}/private/given` } }])
    await expect.poll(async () => (await get(other.id))?.title).toBe('Page')
    await terminate(other.id)
    await terminate(id)
  })

  test('that are wrong leave the response that asked for them', async () => {
    const httpCredentials = { ...CREDENTIALS, password: 'another' }
    const { id, currentUrl } = await start({ httpCredentials, initialPrompt: `${site.url}/private/wrong` }, 'LOADED')
    expect(currentUrl).toBe(`${site.url}/private/wrong`)
    await expect.poll(() => statusesOf(id, '/private/wrong')).toEqual([401, 401])
    expect(site.authorizationsFor('/private/wrong')).toHaveLength(2)
    await terminate(id)
  })

  test('are in the log, recordings, database and log of the server nowhere; both tries are', async () => {
    const input = { httpCredentials: CREDENTIALS, idempotencyKey: 'once', record: ['HAR', 'TRACE'] }
    const { id } = await start({ ...input, initialPrompt: `${site.url}/private/logged` }, 'LOADED')
    expect((await start({ ...input, initialPrompt: `${site.url}/private/logged` })).id).toBe(id)
    await fetched(id, `fetched('/private/again')`)
    await expect.poll(() => statusesOf(id, '/private/logged')).toEqual([401, 200])
    await expect.poll(() => statusesOf(id, '/private/again')).toEqual([200])
    const requests = await requestsOf(id)
    const [first, second] = requests.filter(({ url }) => url.endsWith('/private/logged'))
    expect(first!.requestHeaders['authorization']).toBeUndefined()
    expect(second!.requestHeaders['authorization']).toBe('Basic [redacted]')
    expect(second!.responseHeaders).toMatchObject({ 'content-type': 'text/html; charset=utf-8' })
    const reported = await readEntireLog(
      app,
      id,
      `__typename ... on NetworkRequest { url requestHeaders responseHeaders }
      ... on Action { details result error { message } } ... on StatusChange { errorMessage }`,
    )
    await terminate(id)
    const artifacts = await artifactsOf(id)
    expect([...artifacts.keys()].toSorted()).toEqual(['HAR', 'TRACE'])
    const har = artifacts.get('HAR')!.toString()
    const trace = await unzipped(artifacts.get('TRACE')!)
    for (const content of [har, trace.get('trace.network')!]) {
      expect(content).toContain('/private/again')
      expect(content).toContain('Basic [redacted]')
    }
    expectNoSecret('the log', JSON.stringify(reported))
    expectNoSecret('the HAR', har)
    for (const [name, content] of trace) expectNoSecret(name, content)
    expectNoSecret('the data directory', await contentOf(app.dataDir))
    expectNoSecret('the log of the server', written)
  })

  test('are not repeated where they break a rule, or are of another type', async () => {
    const query = `mutation ($input: StartSessionInput!) { startSession(input: $input) { id } }`
    const word = CREDENTIALS.password
    for (const httpCredentials of [
      { username: word, password: word },
      { username: `${word}:`, password: `${word}\n`, origin: `https://${word}@x` },
      { username: [word], password: { word } },
    ]) {
      const answer = JSON.stringify(await app.send(query, { input: { httpCredentials } }))
      expect(answer).toContain('errors')
      expectNoSecret('the error', answer)
    }
    expectNoSecret('the log of the server', written)
  })
})
