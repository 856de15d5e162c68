import { mkdtemp, rm } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import { gunzipSync } from 'node:zlib'
import { getNamedType, isLeafType, isObjectType, type GraphQLObjectType } from 'graphql'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { openStore } from '../../src/adapters/postgres/store.ts'
import { encodeGlobalId } from '../../src/contract/global-id.ts'
import { createLogger } from '../../src/logger.ts'
import { schema } from '../../src/schema/schema.ts'
import { consoleMessage, insertWith } from '../contracts/store-samples.ts'
import { seedEmbeddedDatabase } from '../support/embedded-template.ts'
import { readHar } from '../support/har-format.ts'
import { leakGate } from '../support/leak-gate.ts'
import { keepOneOfEach, TYPE_OF, type OwnedThings } from '../support/owned-things.ts'
import { startPagesSite, type PagesSite } from '../support/pages-site.ts'
import { WAIT_LIMITS } from '../support/time-limits.ts'
import { sessionApi } from '../support/session-api.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'
import { readEntireLog } from '../support/entire-log.ts'

leakGate()

/** More than the connection between client and server holds by itself. */
const LARGE_LINES = 2_400
const LARGE_LINE = 'x'.repeat(10_000)

const PAGE = `<title>Exported</title><script>
(async () => {
  await (await fetch('/data.json')).text()
  await (await fetch('/gone')).text()
  await (await fetch('/moved')).text()
  console.log('all asked')
})()
</script>`

let dataDir: string
let site: PagesSite
let tabwire: TestApp
/** A session with every kind of entry. */
let everything: OwnedThings
/** Data of another owner. */
let foreign: OwnedThings
/** A session whose log is long. */
let long: string
const { start, terminate } = sessionApi(() => tabwire)

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'tabwire-export-'))
  await seedEmbeddedDatabase(dataDir)
  const store = await openStore({ kind: 'embedded' }, { dataDir, logger: createLogger('silent') })
  everything = await keepOneOfEach(store, 'admin', 'marker')
  foreign = await keepOneOfEach(store, 'bob', 'secret')
  const lines = Array.from({ length: LARGE_LINES }, (_, index) => consoleMessage(`${index} ${LARGE_LINE}`))
  const { session } = await insertWith(store, lines, { owner: 'admin', name: 'a/long\\one' })
  long = encodeGlobalId('Session', session.id)
  await store.close()
  site = await startPagesSite({ '/': PAGE, '/data.json': '1' }, { '/moved': '/data.json' })
  tabwire = await startTestApp({ dataDir })
}, 180_000)

afterAll(async () => {
  await tabwire?.close()
  await site?.close()
  await rm(dataDir, { recursive: true })
})

interface Link {
  url: string
  expiresAt: string
}

const EXPORT = `query ($id: ID!, $format: LogExportFormat!, $filter: LogExportFilter, $ttl: Int! = 3600) {
  exportLog(sessionId: $id, format: $format, filter: $filter, ttlSeconds: $ttl) { url expiresAt } }`

interface Wanted {
  filter?: object
  ttl?: number
  apiKey?: string
}

async function linkTo(id: string, format: 'HAR' | 'NDJSON', { apiKey, ...wanted }: Wanted = {}): Promise<Link> {
  return (await tabwire.query<{ exportLog: Link }>(EXPORT, { id, format, ...wanted }, apiKey)).exportLog
}

type Line = { kind: string; sequence: number; at: string; cursor: string } & Record<string, unknown>

const linesIn = (text: string) =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line)

async function linesOf(id: string, wanted?: Wanted): Promise<Line[]> {
  return linesIn(await (await fetch((await linkTo(id, 'NDJSON', wanted)).url)).text())
}

/** A session that ended after it had requested everything on the page. */
async function visited(): Promise<string> {
  const { id } = await start({ initialPrompt: `${site.url}/`, name: 'visited' })
  const texts = async () => readEntireLog<{ text?: string }>(tabwire, id, '... on ConsoleMessage { text }')
  await expect.poll(async () => (await texts()).map(({ text }) => text), WAIT_LIMITS).toContain('all asked')
  return id
}

describe('an export as HAR', () => {
  test('has the requests of a session, live and ended, and after a restart of the server', async () => {
    const id = await visited()
    const paths = async () => {
      const response = await fetch((await linkTo(id, 'HAR')).url)
      expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8')
      expect(response.headers.get('content-disposition')).toBe('attachment; filename=visited.har')
      const { log } = readHar(await response.text())
      return log.entries.map(({ request, response: { status } }) => `${status} ${new URL(request.url).pathname}`)
    }
    const asked = ['200 /', '200 /data.json', '404 /gone', '302 /moved', '200 /data.json']
    await expect.poll(paths, WAIT_LIMITS).toEqual(expect.arrayContaining(asked))
    await terminate(id)
    const { url } = await linkTo(id, 'HAR')
    expect(await paths()).toEqual(expect.arrayContaining(asked))
    await tabwire.close()
    tabwire = await startTestApp({ dataDir })
    expect(await paths()).toEqual(expect.arrayContaining(asked))
    // Links remain valid: the server has the same keys.
    expect((await fetch(url.replace(/^http:\/\/[^/]+/, tabwire.url))).status).toBe(200)
  })

  test('has what its filter lets through', async () => {
    const id = await visited()
    await terminate(id)
    const { url } = await linkTo(id, 'HAR', { filter: { network: { failedOnly: true } } })
    const { log } = readHar(await (await fetch(url)).text())
    expect(log.entries.map(({ request }) => new URL(request.url).pathname)).toContain('/gone')
    expect(log.entries.every(({ response: { status } }) => status >= 400)).toBe(true)
  })
})

describe('an export as NDJSON', () => {
  test('has a line for each entry, as the API shows it', async () => {
    const types = Object.values(TYPE_OF).map((name) => schema.getType(name) as GraphQLObjectType)
    const selection = types.map((type) => `... on ${type.name} ${selectionOf(type)}`).join(' ')
    const nodes = await readEntireLog<Record<string, unknown>>(tabwire, everything.session, `__typename ${selection}`)
    const lines = await linesOf(everything.session)
    expect(lines.map(({ kind }) => TYPE_OF[kind as keyof typeof TYPE_OF])).toEqual(
      nodes.map((node) => node['__typename']),
    )
    for (const [index, { __typename, kind: artifactKind, ...node }] of nodes.entries()) {
      const line = lines[index]!
      expect({ __typename, ...line }).toMatchObject({
        __typename,
        ...(artifactKind === undefined ? node : { ...node, artifactKind }),
      })
      const others = Object.keys(line).filter((name) => !(name in node) && !MORE.has(name))
      expect({ __typename, others }).toEqual({ __typename, others: [] })
    }
  })

  test('goes on after any of its lines', async () => {
    const whole = await linesOf(everything.session)
    const { url } = await linkTo(everything.session, 'NDJSON')
    for (const [index, { cursor }] of whole.entries()) {
      const rest = await (await fetch(`${url}&after=${cursor}`)).text()
      expect(linesIn(rest)).toEqual(whole.slice(index + 1))
    }
  })

  test('of a live session ends where the log does, and goes on from there with what came since', async () => {
    const id = await visited()
    const { url } = await linkTo(id, 'NDJSON')
    const first = await fetch(url)
    const cursor = first.headers.get('tabwire-cursor')!
    const before = linesIn(await first.text())
    expect(before.at(-1)!.cursor).toBe(cursor)
    await terminate(id)
    const second = await fetch(`${url}&after=${cursor}`)
    const all = [...before, ...linesIn(await second.text())]
    expect(all.map(({ sequence }) => sequence)).toEqual(all.map((_, index) => index + 1))
    expect(all.at(-1)).toMatchObject({ kind: 'STATUS_CHANGE', to: 'CLOSED' })
    expect(await linesOf(id)).toEqual(all)
  })

  test('that broke off goes on without a gap', async () => {
    const { url } = await linkTo(long, 'NDJSON')
    const text: string[] = []
    const left = new AbortController()
    const response = await fetch(url, { signal: left.signal })
    const decoder = new TextDecoder()
    for await (const chunk of response.body!) {
      text.push(decoder.decode(chunk, { stream: true }))
      if (text.join('').split('\n').length > 3) break
    }
    left.abort()
    // The last line may be incomplete.
    const lines = linesIn(text.join('').replace(/[^\n]*$/, ''))
    const rest = linesIn(await (await fetch(`${url}&after=${lines.at(-1)!.cursor}`)).text())
    const sequences = [...lines, ...rest].map(({ sequence }) => sequence)
    expect(sequences).toEqual(Array.from({ length: LARGE_LINES }, (_, index) => index + 1))
  })

  test('has what its filter lets through', async () => {
    const kinds = ['CONSOLE_MESSAGE', 'NETWORK_REQUEST']
    expect((await linesOf(everything.session, { filter: { kinds } })).map(({ kind }) => kind).toSorted()).toEqual(kinds)
    const filter = { kinds: ['CONSOLE_MESSAGE'], console: { textContains: `77 ${LARGE_LINE.slice(0, 10)}` } }
    const found = await linesOf(long, { filter })
    expect(found.map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: LARGE_LINES }, (_, index) => index).flatMap((index) =>
        index % 100 === 77 ? [index + 1] : [],
      ),
    )
  })
})

describe('a link to an export', () => {
  test('is refused in every changed form, and for another owner’s session', async () => {
    const filter = { network: { failedOnly: true } }
    const { url } = await linkTo(everything.session, 'HAR', { filter })
    for (const changed of [
      url.replace('.har', '.ndjson'),
      url.replace('.har', '.zip'),
      url.replace(/filter=[^&]*/, 'filter=%7B%7D'),
      url.replace(/filter=[^&]*&/, ''),
      url.replace(everything.session, foreign.session),
      url.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
      `${url}&maker=x`,
    ]) {
      const response = await fetch(changed)
      expect([changed, response.status]).toEqual([changed, 403])
    }
    const { errors } = await tabwire.send(EXPORT, { id: foreign.session, format: 'HAR' })
    expect(errors?.[0]?.extensions.code).toBe('NOT_FOUND')
  })

  test('keeps its rules', async () => {
    const { url, expiresAt } = await linkTo(everything.session, 'NDJSON', { ttl: 60 })
    expect(Date.parse(expiresAt) - Date.now()).toBeLessThanOrEqual(60_000)
    const head = await fetch(url, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-type')]).toEqual([200, 'application/x-ndjson; charset=utf-8'])
    expect(head.headers.get('x-content-type-options')).toBe('nosniff')
    expect(head.headers.get('access-control-allow-origin')).toBe('*')
    expect((await fetch(url, { method: 'OPTIONS' })).status).toBe(204)
    const post = await fetch(url, { method: 'POST' })
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS'])
    const wrong = await fetch(`${url}&after=e1.x`)
    expect([wrong.status, await wrong.json()]).toMatchObject([400, { error: { code: 'CURSOR_INVALID' } }])
    const issuesOf = async (variables: object) =>
      (await tabwire.send(EXPORT, { id: everything.session, format: 'HAR', ...variables })).errors?.[0]?.extensions
        .issues
    expect(await issuesOf({ filter: { console: { textContains: 'x'.repeat(5_000) } } })).toMatchObject([
      { path: ['filter'], code: 'TOO_LONG' },
    ])
    expect(await issuesOf({ ttl: 0 })).toMatchObject([{ path: ['ttlSeconds'], code: 'OUT_OF_RANGE' }])
  })

  test('names the file after the session, without what file names cannot have', async () => {
    const { headers } = await fetch((await linkTo(long, 'NDJSON')).url, { method: 'HEAD' })
    expect(headers.get('content-disposition')).toBe('attachment; filename=a-long-one.ndjson')
  })

  test('gives gzip to whoever takes it, and the same without', async () => {
    const { url } = await linkTo(everything.session, 'NDJSON')
    const raw = async (encoding: string) => {
      const asked = httpRequest(url, { headers: { 'accept-encoding': encoding } }).end()
      const [response] = await once(asked, 'response')
      const chunks = await Array.fromAsync(response as AsyncIterable<Buffer>)
      return { encoding: response.headers['content-encoding'], body: Buffer.concat(chunks) }
    }
    const plain = await raw('identity')
    const zipped = await raw('br, gzip;q=0.5')
    const refused = await raw('gzip;q=0, *;q=0.0')
    expect([plain.encoding, zipped.encoding, refused.encoding]).toEqual([undefined, 'gzip', undefined])
    expect(zipped.body.length).toBeLessThan(plain.body.length)
    expect(gunzipSync(zipped.body).equals(plain.body)).toBe(true)
    expect(refused.body.equals(plain.body)).toBe(true)
  })
})

describe('a download that is under way', () => {
  async function createKey(): Promise<{ id: string; secret: string }> {
    const query = `mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret apiKey { id } } }`
    type Created = { createApiKey: { secret: string; apiKey: { id: string } } }
    const { createApiKey } = await tabwire.query<Created>(query, { input: { name: 'of exports', scopes: ['READ'] } })
    return { id: createApiKey.apiKey.id, secret: createApiKey.secret }
  }

  /** A response that is not read to its end. */
  async function stalled(url: string) {
    const asked = httpRequest(url).end()
    const closed = once(asked, 'close')
    const [response] = await once(asked, 'response')
    return {
      status: response.statusCode as number,
      read: async () => {
        const chunks = await Array.fromAsync(response as AsyncIterable<Buffer>)
        return Buffer.concat(chunks).length
      },
      leave: async () => {
        asked.destroy()
        await closed
      },
    }
  }

  test('ends with the key that made its link', async () => {
    const { id, secret } = await createKey()
    const { url } = await linkTo(long, 'NDJSON', { apiKey: secret })
    const download = await stalled(url)
    expect(download.status).toBe(200)
    await tabwire.query('mutation ($id: ID!) { revokeApiKey(id: $id) { revokedAt } }', { id })
    await expect(download.read()).rejects.toThrow('aborted')
    expect((await fetch(url)).status).toBe(403)
  })

  test('is one of a few of its owner; those who leave make room', async () => {
    const { url } = await linkTo(long, 'NDJSON')
    const downloads: Awaited<ReturnType<typeof stalled>>[] = []
    for (let number = 0; number < 8; number += 1) downloads.push(await stalled(url))
    onTestFinished(async () => void (await Promise.all(downloads.map(({ leave }) => leave()))))
    expect(downloads.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200))
    const refused = await fetch(url)
    expect([refused.status, await refused.json()]).toMatchObject([503, { error: { code: 'TOO_MANY_CONNECTIONS' } }])
    expect(refused.headers.get('retry-after')).not.toBeNull()
    await downloads[0]!.leave()
    const length = LARGE_LINES * LARGE_LINE.length
    await expect.poll(async () => (await (await fetch(url)).text()).length, WAIT_LIMITS).toBeGreaterThan(length)
  })
})

/** Members of lines without an API field of the same name. */
const MORE = new Set([
  'kind',
  'requestId',
  'artifactId',
  'artifactKind',
  'requestBody',
  'requestBodyOmitted',
  'responseBody',
  'bodyOmitted',
])
/** Fields of entries that lines omit; artifacts are referenced by id. */
const LESS = new Set(['id', 'sessionId', 'artifact'])

/** Every field with data of the entry itself, except links. */
function selectionOf(type: GraphQLObjectType): string {
  const fields = Object.values(type.getFields()).flatMap(({ name, type: ofField, args }) => {
    const named = getNamedType(ofField)
    // Text is in base64 there, too.
    if (LESS.has(name) || args.length > 0 || (type.name === 'Body' && name === 'base64')) return []
    if (isLeafType(named)) return [name]
    return isObjectType(named) ? [`${name} ${selectionOf(named)}`] : []
  })
  return `{ ${fields.join(' ')} }`
}
