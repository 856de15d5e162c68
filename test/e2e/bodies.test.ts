import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDiskArtifactStore } from '../../src/adapters/artifacts/disk.ts'
import { openStore } from '../../src/adapters/postgres/store.ts'
import type { BodyData, BodyOmission } from '../../src/contract/entries/body.ts'
import { encodeGlobalId } from '../../src/contract/global-id.ts'
import { Bodies, type NewBody } from '../../src/domain/bodies/bodies.ts'
import { BodyCipher } from '../../src/domain/bodies/body-cipher.ts'
import { createLogger } from '../../src/logger.ts'
import { DEFAULT_CAPTURE } from '../../src/ports/browser/capture.ts'
import type { EntryDraft } from '../../src/ports/log/log-entry.ts'
import { insertWith, networkRequest } from '../contracts/store-samples.ts'
import { seedEmbeddedDatabase } from '../support/embedded-template.ts'
import { leakGate } from '../support/leak-gate.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'

leakGate()

/** Bodies as seen by clients: those of a session from an earlier run of the server. */

const KEYS = ['a'.repeat(32), 'b'.repeat(32)]
const LARGE = 'a large body. '.repeat(2_000)
const SIZE = 1.5 * 1024 * 1024
const HTML = '<script>alert(1)</script>'

let dataDir: string
let tabwire: TestApp
let id: string
let largeId: string

interface BodyFields {
  contentType: string | null
  sizeBytes: number
  truncated: number
  text: string | null
  base64: string | null
  url: string
}

interface RequestFields {
  id: string
  requestBody: BodyFields | null
  requestBodyOmitted: string | null
  responseBody: BodyFields | null
  bodyOmitted: string | null
}

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'tabwire-test-'))
  await seedEmbeddedDatabase(dataDir)
  const logger = createLogger('silent')
  const store = await openStore({ kind: 'embedded' }, { dataDir, logger })
  const bytes = await openDiskArtifactStore(join(dataDir, 'artifacts'))
  const of = (cipher: BodyCipher) => new Bodies({ store, bytes, cipher, quotaBytes: 100 * 1024 * 1024, logger })
  const ended = { status: 'CLOSED', endReason: 'TERMINATED', endedAt: Date.now() } as const
  const logOf = async (drafts: EntryDraft[]) => {
    const { session: kept } = await insertWith(store, drafts, { owner: 'admin' })
    await store.patchSession(kept.id, ended)
    return encodeGlobalId('Session', kept.id)
  }
  const { session } = await insertWith(store, [], { owner: 'admin' })
  const plain = of(new BodyCipher([]))
  const save = async (bodies: Bodies, content: string | Buffer, more: Partial<NewBody> = {}): Promise<BodyData> => {
    const given = Buffer.from(content as string)
    const isText = typeof content === 'string'
    const body = { bytes: given, contentType: 'text/html', sizeBytes: given.length, truncated: 0, isText, ...more }
    return (await bodies.save(session, body)).body!
  }
  const request = (sent: BodyData | null, received: BodyData | BodyOmission | null) => ({
    requestBody: sent,
    requestBodyOmitted: null,
    responseBody: typeof received === 'string' ? null : received,
    responseBodyOmitted: typeof received === 'string' ? received : null,
  })
  const known = of(new BodyCipher([KEYS[1]!]))
  const lost = of(new BodyCipher(['c'.repeat(32)]))
  const drafts = [
    request(await save(plain, '{"a":1}', { contentType: 'application/json' }), await save(plain, HTML)),
    request(null, await save(plain, LARGE, { truncated: 5, sizeBytes: LARGE.length + 5, contentType: null })),
    request(await save(plain, Buffer.from([0, 255])), 'TOO_LARGE'),
    request(await save(known, 'sealed'), await save(known, `sealed ${LARGE}`)),
    request(null, await save(lost, `lost ${LARGE}`)),
    request(null, null),
  ].map((members, index) => networkRequest(index + 1, { ...members, url: 'http://127.0.0.1/some/page.html?q' }))
  id = await logOf(drafts)
  const pages = await Promise.all(['1', '2', '3', '4'].map((name) => save(plain, name.padEnd(SIZE, '.'))))
  const large = pages.map((body, index) => networkRequest(index + 1, request(null, body)))
  largeId = await logOf(large)
  await store.close()
  // The key of today first, one of before after it.
  tabwire = await startTestApp({ dataDir, warmBrowsers: 0, bodyKeys: KEYS, captureBodies: 'TEXT' })
})

afterAll(async () => {
  await tabwire?.close()
  await rm(dataDir, { recursive: true, force: true })
})

const BODY = '{ contentType sizeBytes truncated text base64 url }'
const REQUESTS = `query ($id: ID!) { session(id: $id) { networkRequests { nodes {
  id requestBody ${BODY} requestBodyOmitted responseBody ${BODY} bodyOmitted } } } }`

interface Answer {
  session: { networkRequests: { nodes: RequestFields[] } }
}

async function requests(apiKey = tabwire.apiKey): Promise<RequestFields[]> {
  return (await tabwire.query<Answer>(REQUESTS, { id }, apiKey)).session.networkRequests.nodes
}

async function newKey(scopes: string[], owner = 'admin') {
  const query = 'mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret apiKey { id } } }'
  const input = { name: 'a test', owner, scopes }
  type Created = { createApiKey: { secret: string; apiKey: { id: string } } }
  return (await tabwire.query<Created>(query, { input })).createApiKey
}

describe('a request', () => {
  test('has its bodies, small and large ones alike, or says why one is missing', async () => {
    const base64 = (text: string) => Buffer.from(text).toString('base64')
    const shown = (text: string, contentType: string | null = 'text/html', truncated = 0) => ({
      contentType,
      sizeBytes: text.length + truncated,
      truncated,
      text,
      base64: base64(text),
      url: expect.stringContaining(`${tabwire.url}/bodies/`) as unknown,
    })
    const all = await requests()
    expect(all.map(({ requestBody, responseBody }) => [requestBody, responseBody])).toEqual([
      [shown('{"a":1}', 'application/json'), shown(HTML)],
      [null, shown(LARGE, null, 5)],
      [{ ...shown('xx'), text: null, base64: 'AP8=' }, null],
      [shown('sealed'), shown(`sealed ${LARGE}`)],
      [null, null],
      [null, null],
    ])
    expect(all.map(({ bodyOmitted }) => bodyOmitted)).toEqual([null, null, 'TOO_LARGE', null, 'STORE_FAILED', null])
    expect(all.every(({ requestBodyOmitted }) => requestBodyOmitted === null)).toBe(true)
  })

  test('on a page of large ones: as many as a response may hold are there, and the rest is told apart', async () => {
    const query = `query ($id: ID!) { session(id: $id) { networkRequests { nodes { responseBody { sizeBytes text } } } } }`
    const { data, errors } = await tabwire.send<Answer>(query, { id: largeId })
    const texts = data!.session.networkRequests.nodes.map(({ responseBody }) => responseBody!.text?.length ?? null)
    expect(texts).toEqual([SIZE, SIZE, null, null])
    expect(errors?.map(({ extensions }) => extensions.code)).toEqual(['RESPONSE_TOO_LARGE', 'RESPONSE_TOO_LARGE'])
    const each = `query ($id: ID!, $after: String) { session(id: $id) { networkRequests(first: 1, after: $after) {
      nodes { responseBody { text } } pageInfo { endCursor } } } }`
    for (let after: string | null = null, index = 1; index <= 4; index += 1) {
      type Page = { session: { networkRequests: { nodes: RequestFields[]; pageInfo: { endCursor: string } } } }
      const page: Page = await tabwire.query<Page>(each, { id: largeId, after })
      const { nodes, pageInfo } = page.session.networkRequests
      expect(nodes[0]!.responseBody!.text!.replace(/\.+$/, '')).toBe(String(index))
      after = pageInfo.endCursor
    }
  })

  test('of another owner does not exist, and a key without READ reads none', async () => {
    const stranger = await newKey(['READ'], 'someone-else')
    const { data } = await tabwire.send<{ session: null; node: null }>(
      `query ($id: ID!, $request: ID!) { session(id: $id) { id } node(id: $request) { id } }`,
      { id, request: (await requests())[0]!.id },
      stranger.secret,
    )
    expect(data).toEqual({ session: null, node: null })
    const writer = await newKey(['WRITE'])
    const { errors } = await tabwire.send(REQUESTS, { id }, writer.secret)
    expect(errors?.[0]?.extensions.code).toBe('FORBIDDEN')
  })

  test('counts what is stored apart, and once', async () => {
    type Used = { viewer: { artifactBytes: number; bodyBytes: number } }
    const { viewer } = await tabwire.query<Used>('{ viewer { artifactBytes bodyBytes } }')
    const sizes = [LARGE, `sealed ${LARGE}`, `lost ${LARGE}`].map((text) => text.length)
    expect(viewer).toEqual({ artifactBytes: 0, bodyBytes: sizes.reduce((sum, size) => sum + size) + 4 * SIZE })
  })
})

describe('a link to a body', () => {
  const link = async (index: number, which: 'requestBody' | 'responseBody', apiKey?: string) =>
    (await requests(apiKey))[index]![which]!.url

  test('gives it to whoever has the link, as a file that nothing runs', async () => {
    const url = await link(0, 'responseBody')
    const response = await fetch(url)
    expect(response.status).toBe(200)
    expect(await response.text()).toBe(HTML)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/html',
      'content-disposition': 'attachment; filename=response-page.html',
      'content-length': String(HTML.length),
      'content-security-policy': "default-src 'none'; sandbox",
      'x-content-type-options': 'nosniff',
      'access-control-allow-origin': '*',
    })
    const head = await fetch(url, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, String(HTML.length), ''])
    expect((await fetch(url, { method: 'OPTIONS' })).status).toBe(204)
    expect((await fetch(url, { method: 'POST' })).status).toBe(405)
  })

  test('of large, binary and encrypted ones as well, the last without a key that is lost', async () => {
    const hash = async (url: string) =>
      createHash('sha256')
        .update(Buffer.from(await (await fetch(url)).arrayBuffer()))
        .digest('hex')
    const of = (content: string | Buffer) => createHash('sha256').update(content).digest('hex')
    expect(await hash(await link(1, 'responseBody'))).toBe(of(LARGE))
    expect(await hash(await link(2, 'requestBody'))).toBe(of(Buffer.from([0, 255])))
    expect(await hash(await link(3, 'responseBody'))).toBe(of(`sealed ${LARGE}`))
    const type = await fetch(await link(1, 'responseBody'))
    expect(type.headers.get('content-type')).toBe('application/octet-stream')
    await type.arrayBuffer()
  })

  test('is good for that body alone, and ends with the key that made it', async () => {
    const key = await newKey(['READ'])
    const url = await link(0, 'requestBody', key.secret)
    const status = async (changed: string) => {
      const response = await fetch(changed)
      await response.arrayBuffer()
      return response.status
    }
    expect(await status(url)).toBe(200)
    expect(await status(url.replace('/request?', '/response?'))).toBe(403)
    expect(await status(url.replace('/request?', '/other?'))).toBe(403)
    expect(await status(url.replace(/expires=\d+/, 'expires=9999999999'))).toBe(403)
    expect(await status(url.replace(/\/bodies\/[^/]+/, `/bodies/${(await requests())[1]!.id}`))).toBe(403)
    expect(await status(url.split('?')[0]!)).toBe(403)
    await tabwire.query('mutation ($id: ID!) { revokeApiKey(id: $id) { id } }', { id: key.apiKey.id })
    expect(await status(url)).toBe(403)
  })

  test('has a bounded lifetime', async () => {
    const query = `query ($id: ID!) { session(id: $id) { networkRequests(first: 1) { nodes { responseBody { url(ttlSeconds: 0) } } } } }`
    const { errors } = await tabwire.send(query, { id })
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', issues: [{ path: ['ttlSeconds'] }] })
  })
})

describe('a session says', () => {
  const START = `mutation ($input: StartSessionInput!) { startSession(input: $input) { id
    capture { bodies maxBodyBytes webSocketMessages consoleArguments }
    redact { headers jsonKeys urlParameters patterns } } }`
  interface Started {
    id: string
    capture: Record<string, unknown>
    redact: { headers: string[]; jsonKeys: string[]; urlParameters: string[]; patterns: string[] }
  }
  const start = async (input: object, apiKey = tabwire.apiKey) => {
    const { startSession } = await tabwire.query<{ startSession: Started }>(START, { input }, apiKey)
    await tabwire.query('mutation ($id: ID!) { terminateSession(id: $id) { id } }', { id: startSession.id })
    return startSession
  }

  test('what is recorded of it: the defaults, what was chosen, and no more than the server allows', async () => {
    const SHOWN = { ...DEFAULT_CAPTURE }
    expect((await start({})).capture).toEqual(SHOWN)
    const chosen = { bodies: 'NONE', maxBodyBytes: 1000, webSocketMessages: false, consoleArguments: false }
    expect((await start({ capture: chosen })).capture).toEqual(chosen)
    expect((await start({ capture: { bodies: 'ALL' } })).capture).toEqual({ ...SHOWN, bodies: 'TEXT' })
    const stored = await start({ capture: { maxBodyBytes: 5 } })
    const query = 'query ($id: ID!) { session(id: $id) { capture { bodies maxBodyBytes } } }'
    expect(await tabwire.query(query, { id: stored.id })).toEqual({
      session: { capture: { bodies: 'TEXT', maxBodyBytes: 5 } },
    })
  })

  test('what is masked in it: what the server masks, and what was asked for', async () => {
    const plain = (await start({})).redact
    expect(plain.headers).toEqual(['authorization', 'proxy-authorization'])
    expect(plain.patterns).toEqual([])
    const { redact } = await start({
      redact: { headers: ['X-Key', 'authorization'], jsonKeys: ['token'], patterns: ['sk-[a-z]+'] },
    })
    expect(redact).toEqual({
      headers: ['authorization', 'proxy-authorization', 'X-Key'],
      jsonKeys: [...plain.jsonKeys, 'token'],
      urlParameters: plain.urlParameters,
      patterns: ['sk-[a-z]+'],
    })
  })

  test('which rules its input breaks, all of them at once', async () => {
    const input = {
      capture: { maxBodyBytes: 8 * 1024 * 1024 + 1 },
      redact: {
        headers: [''],
        jsonKeys: ['x'.repeat(201)],
        urlParameters: Array.from({ length: 101 }, () => 'a'),
        patterns: ['a(', '(?=x)', '((a{100}){100}){100}', '[a-z]+'],
      },
    }
    const { errors } = await tabwire.send(START, { input })
    const issues = errors?.[0]?.extensions.issues ?? []
    expect(issues.map(({ path, code }) => `${path.join('.')} ${code}`).toSorted()).toEqual([
      'input.capture.maxBodyBytes OUT_OF_RANGE',
      'input.redact.headers.0 TOO_SHORT',
      'input.redact.jsonKeys.0 TOO_LONG',
      'input.redact.patterns.0 INVALID_FORMAT',
      'input.redact.patterns.1 INVALID_FORMAT',
      'input.redact.patterns.2 INVALID_FORMAT',
      'input.redact.urlParameters TOO_LONG',
    ])
  })
})
