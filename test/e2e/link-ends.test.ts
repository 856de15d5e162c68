import { randomBytes, randomUUID } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { initRawSocket, openRawSocket } from '../server/raw-socket.ts'
import { artifactApi } from '../support/artifact-api.ts'
import { CdpSocket } from '../support/cdp-socket.ts'
import { connectApi, ofKind, type LoggedEntry } from '../support/connect-api.ts'
import { startPostgres, type TestPostgres } from '../support/databases.ts'
import { leakGate } from '../support/leak-gate.ts'
import { sessionApi } from '../support/session-api.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'

leakGate()

/** More than the connection between client and server holds by itself. */
const FILE_BYTES = 24 * 1024 * 1024

let postgres: TestPostgres
let tabwire: TestApp
/** Another server over the same database, which knows the same keys for signing. */
let other: TestApp
let sessionId: string
let fileId: string
const api = artifactApi(() => tabwire)
const sessions = sessionApi(() => tabwire)
const { untilLogged } = connectApi(() => tabwire)

beforeAll(async () => {
  postgres = await startPostgres()
  const shared = {
    database: { kind: 'server', url: postgres.url } as const,
    signingKeys: ['a-secret-of-two-servers-that-is-long'],
    warmBrowsers: 0,
  }
  tabwire = await startTestApp(shared)
  other = await startTestApp(shared)
  sessionId = (await sessions.start()).id
  const ticket = await api.ticket(sessionId, 'large.bin')
  const { status } = await fetch(ticket.url, { method: 'PUT', body: randomBytes(FILE_BYTES) })
  if (status !== 201) throw new Error(`the file was not taken: ${status}`)
  fileId = ticket.artifactId
  // A database server, two servers and a browser: on a busy machine that takes a while.
}, 180_000)
afterAll(async () => {
  await tabwire?.close()
  await other?.close()
  await postgres?.close()
})

async function createKey(expiresAt: string | null = null): Promise<{ id: string; secret: string }> {
  const query = `mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret apiKey { id } } }`
  const input = { name: 'of links', scopes: ['READ', 'WRITE', 'CONNECT'], expiresAt }
  type Created = { createApiKey: { secret: string; apiKey: { id: string } } }
  const { createApiKey } = await tabwire.query<Created>(query, { input })
  return { id: createApiKey.apiKey.id, secret: createApiKey.secret }
}

const revoke = (app: TestApp, id: string) =>
  app.query('mutation ($id: ID!) { revokeApiKey(id: $id) { revokedAt } }', { id })

interface Links {
  session: { access: { cdpUrl: string; liveViewUrl: string; expiresAt: string } }
  node: { link: { url: string; viewerUrl: null; expiresAt: string }; url: string }
  createUpload: { url: string; expiresAt: string; artifactId: string }
}

async function linksOf(secret: string, ttl = 3600): Promise<Links> {
  const read = `query ($id: ID!, $file: ID!, $ttl: Int!) {
    session(id: $id) { access(ttlSeconds: $ttl) { cdpUrl liveViewUrl expiresAt } }
    node(id: $file) { ... on Artifact { link(ttlSeconds: $ttl) { url viewerUrl expiresAt } url(ttlSeconds: $ttl) } }
  }`
  const write = `mutation ($id: ID!, $ttl: Int!) {
    createUpload(sessionId: $id, name: "up.bin", ttlSeconds: $ttl) { url expiresAt artifactId } }`
  return {
    ...(await tabwire.query<Omit<Links, 'createUpload'>>(read, { id: sessionId, file: fileId, ttl }, secret)),
    ...(await tabwire.query<Pick<Links, 'createUpload'>>(write, { id: sessionId, ttl }, secret)),
  }
}

const tokenOf = ({ session }: Links) =>
  new URLSearchParams(new URL(session.access.liveViewUrl).hash.slice(1)).get('token')!

const CAST = `subscription { screencast(sessionId: "ID") { width } }`
const castQuery = () => CAST.replace('ID', sessionId)

/** The picture over SSE, from its first event on. */
async function castOverSse(token: string): Promise<{ ended: Promise<string> }> {
  const response = await fetch(`${tabwire.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream', 'x-api-key': token },
    body: JSON.stringify({ query: castQuery() }),
  })
  const reader = response.body!.getReader()
  let text = ''
  while (!text.includes('"width"')) {
    const { value, done } = await reader.read()
    if (done) throw new Error(`no picture: ${response.status} ${text}`)
    text += Buffer.from(value).toString()
  }
  const rest = async () => {
    while (!(await reader.read()).done);
    return 'completed'
  }
  return { ended: rest().catch(() => 'broken off') }
}

async function castOverWebSocket(token: string) {
  const raw = await initRawSocket(tabwire.url, { 'X-API-Key': token })
  raw.send({ type: 'subscribe', id: '1', payload: { query: castQuery() } })
  const next = await raw.message('next')
  expect(next.payload!.errors).toBeUndefined()
  return raw
}

const drafts = async () => (await readdir(join(tabwire.dataDir, 'artifacts', '.unfinished'))).length

/** A PUT of a file that never ends. */
async function beginUpload(url: string) {
  const before = await drafts()
  const request = httpRequest(url, { method: 'PUT', headers: { 'content-length': 1_000_000 } })
  const closed = new Promise<void>((resolve) => request.once('close', resolve))
  const answered = new Promise<number | null>((resolve) => {
    request.once('response', (response) => {
      response.resume()
      resolve(response.statusCode ?? null)
    })
    request.on('error', () => resolve(null))
  })
  request.write(randomBytes(200_000))
  await expect.poll(drafts).toBe(before + 1)
  return { request, answered, closed }
}

/** Maximum time to open everything, so that nothing expires earlier. */
let openingMs = 500
const enoughSeconds = () => 2 + Math.ceil((openingMs * 4) / 1000)

/** Opens everything that links of a key can open, each in progress. */
async function openAll(links: Links) {
  const started = performance.now()
  const token = tokenOf(links)
  const download = await fetch(links.node.link.url)
  expect(download.status).toBe(200)
  const name = `client-${randomUUID()}`
  const open = {
    name,
    cdp: await CdpSocket.connect(links.session.access.cdpUrl, { 'user-agent': name }),
    overWebSocket: await castOverWebSocket(token),
    overSse: await castOverSse(token),
    download,
    upload: await beginUpload(links.createUpload.url),
  }
  openingMs = Math.max(openingMs, performance.now() - started)
  return open
}

async function expectAllEnded(
  { name, cdp, overWebSocket, overSse, download, upload }: Awaited<ReturnType<typeof openAll>>,
  links: Links,
  reason: 'LINK_EXPIRED' | 'LINK_REVOKED',
): Promise<void> {
  const words = reason === 'LINK_EXPIRED' ? 'the link has expired' : 'the link has been revoked'
  expect(await cdp.closed).toEqual({ code: 4403, reason: words })
  expect((await overWebSocket.closed).code).toBe(4403)
  expect(await overSse.ended).toBe('broken off')
  await expect(download.arrayBuffer().then(({ byteLength }) => byteLength)).rejects.toThrow('terminated')
  expect(await upload.answered).toBe(403)
  await upload.closed
  expect(await api.find(links.createUpload.artifactId)).toBeNull()
  const detached = (log: LoggedEntry[]) => ofKind(log, 'ClientDetached').find((entry) => entry['name'] === name)
  const log = await untilLogged(sessionId, (entries) => detached(entries) !== undefined)
  expect(detached(log)!['detachReason']).toBe(reason)
}

/** Response to a new request for each link. */
async function statusesOf(app: TestApp, links: Links): Promise<unknown[]> {
  const here = (url: string) => url.replace(/^(http|ws):\/\/[^/]+/, app.url.replace(/^http/, '$1'))
  const { cdpUrl } = links.session.access
  const connected = async () => {
    await using client = await CdpSocket.connect(here(cdpUrl))
    return client.socket.readyState === client.socket.OPEN ? 101 : 0
  }
  const [path, query] = here(cdpUrl).replace(/^ws/, 'http').split('?')
  const live = await app.send(
    `mutation { dispatchInput(sessionId: "${sessionId}", events: [{ text: { text: "a" } }]) }`,
    {},
    tokenOf(links),
  )
  return [
    await connected().catch((error: unknown) => Number((error as Error).message)),
    (await fetch(`${path}/json/version?${query}`)).status,
    live.errors?.[0]?.extensions.code ?? 'OK',
    (await fetch(here(links.node.link.url), { method: 'HEAD' })).status,
    (await fetch(here(links.node.url), { headers: { range: 'bytes=0-9' } })).status,
    (await fetch(here(links.createUpload.url), { method: 'PUT', body: 'x' })).status,
  ]
}

const REFUSED = [401, 401, 'UNAUTHENTICATED', 403, 403, 403]

describe('what a key’s links have open ends, and they are refused, once the key', () => {
  test('is revoked here', async () => {
    const key = await createKey()
    const [links, unused] = [await linksOf(key.secret), await linksOf(key.secret)]
    const open = await openAll(links)
    await revoke(tabwire, key.id)
    await expectAllEnded(open, links, 'LINK_REVOKED')
    for (const one of [links, unused]) expect(await statusesOf(tabwire, one)).toEqual(REFUSED)
    await expect.poll(drafts).toBe(0)
  })

  test('is revoked on another server; what the key has open itself ends too', async () => {
    const key = await createKey()
    const links = await linksOf(key.secret)
    const open = await openAll(links)
    const own = await castOverWebSocket(key.secret)
    const ownOverSse = await castOverSse(key.secret)
    await revoke(other, key.id)
    await expectAllEnded(open, links, 'LINK_REVOKED')
    expect((await own.closed).code).toBe(4403)
    expect(await ownOverSse.ended).toBe('broken off')
    expect(await statusesOf(tabwire, links)).toEqual(REFUSED)
    await expect.poll(drafts).toBe(0)
    const { errors } = await tabwire.send('{ capacity { total } }', {}, key.secret)
    expect(errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED')
    const late = await openRawSocket(tabwire.url)
    late.send({ type: 'connection_init', payload: { 'x-api-key': key.secret } })
    expect((await late.closed).code).toBe(4403)
  })

  test('expires, as where a link itself does; no link says that it works longer, and nothing else is closed', async () => {
    const expiresAt = Date.now() + enoughSeconds() * 1_500
    const [brief, lasting] = [await createKey(new Date(expiresAt).toISOString()), await createKey()]
    const ofBrief = await linksOf(brief.secret)
    for (const reported of [ofBrief.session.access, ofBrief.node.link, ofBrief.createUpload]) {
      expect(Date.parse(reported.expiresAt)).toBe(Math.floor(expiresAt / 1000) * 1000)
    }
    const [links, others] = [await linksOf(lasting.secret, enoughSeconds()), await linksOf(lasting.secret)]
    const { access } = links.session
    for (const [url, reported] of [
      [access.cdpUrl, access.expiresAt],
      [links.node.link.url, links.node.link.expiresAt],
      [links.createUpload.url, links.createUpload.expiresAt],
    ] as const) {
      expect(Date.parse(reported)).toBe(Number(new URL(url).searchParams.get('expires')) * 1000)
    }
    const [open, openOfBrief] = [await openAll(links), await openAll(ofBrief)]
    await using client = await CdpSocket.connect(others.session.access.cdpUrl)
    const cast = await castOverWebSocket(tokenOf(others))
    await expectAllEnded(open, links, 'LINK_EXPIRED')
    expect(await statusesOf(tabwire, links)).toEqual(REFUSED)
    await expectAllEnded(openOfBrief, ofBrief, 'LINK_EXPIRED')
    expect(await statusesOf(tabwire, ofBrief)).toEqual(REFUSED)
    expect([client.socket.readyState, cast.socket.readyState]).toEqual([1, 1])
    expect(await statusesOf(tabwire, others)).toEqual([101, 200, 'OK', 200, 206, 201])
    cast.socket.close()
    await cast.closed
    await expect.poll(drafts).toBe(0)
  })
})

describe('an upload link', () => {
  const put = (app: TestApp, url: string, body: string) =>
    fetch(url.replace(/^http:\/\/[^/]+/, app.url), { method: 'PUT', body }).then(({ status }) => status)

  test('is good once, with every server, also when the artifact was deleted', async () => {
    const { url, artifactId } = await api.ticket(sessionId, 'once.txt')
    expect(await put(tabwire, url, 'one')).toBe(201)
    expect([await put(tabwire, url, 'two'), await put(other, url, 'two')]).toEqual([409, 409])
    await api.remove(artifactId)
    expect([await put(tabwire, url, 'two'), await put(other, url, 'two')]).toEqual([409, 409])
    expect(await api.find(artifactId)).toBeNull()
  })

  test('is one server’s while that takes the file, and another’s once it has failed', async () => {
    const { url, artifactId } = await api.ticket(sessionId, 'race.txt')
    const { request, closed } = await beginUpload(url)
    expect([await put(other, url, 'other'), await put(tabwire, url, 'same')]).toEqual([409, 409])
    request.destroy()
    await closed
    await expect.poll(() => put(other, url, 'other')).toBe(201)
    expect(await put(tabwire, url, 'late')).toBe(409)
    expect(await drafts()).toBe(0)
    expect((await api.find(artifactId))!.sizeBytes).toBe(5)
  })

  test('that many servers are given at once makes one artifact', async () => {
    const { url, artifactId } = await api.ticket(sessionId, 'many.txt')
    const statuses = await Promise.all([tabwire, other, tabwire, other].map((app, index) => put(app, url, `${index}`)))
    expect(statuses.toSorted()).toEqual([201, 409, 409, 409])
    expect((await api.find(artifactId))!.sizeBytes).toBe(1)
  })
})
