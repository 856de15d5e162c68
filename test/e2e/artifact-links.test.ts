import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { rotateSigningKeys } from '../../src/signing-keys-file.ts'
import { artifactApi } from '../support/artifact-api.ts'
import { leakGate } from '../support/leak-gate.ts'
import { sessionApi } from '../support/session-api.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'

leakGate()

let tabwire: TestApp
let dataDir: string
let sessionId: string
const api = artifactApi(() => tabwire)
const sessions = sessionApi(() => tabwire)

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'tabwire-test-'))
  tabwire = await startTestApp({ dataDir })
  sessionId = (await sessions.start()).id
})
afterAll(async () => {
  await tabwire?.close()
  await rm(dataDir, { recursive: true, force: true })
})

const statusOf = async (url: string) => (await fetch(url)).status

describe('a link', () => {
  test.each<[string, (url: URL, other: URL) => void]>([
    ['another artifact', (url, other) => (url.pathname = other.pathname)],
    [
      'another id, the same name',
      (url, other) => (url.pathname = url.pathname.replace(/s\/[^/]+/, other.pathname.match(/s\/[^/]+/)![0])),
    ],
    ['another name', (url) => (url.pathname += 'l')],
    ['no name', (url) => (url.pathname = url.pathname.replace(/\/[^/]+$/, ''))],
    ['a name that is no text', (url) => (url.pathname = url.pathname.replace(/[^/]+$/, '%ff'))],
    ['a longer time', (url) => url.searchParams.set('expires', String(Number(url.searchParams.get('expires')) + 1))],
    ['a time that is none', (url) => url.searchParams.set('expires', '9e99')],
    ['a time in another spelling', (url) => url.searchParams.set('expires', `0${url.searchParams.get('expires')}`)],
    ['two times', (url) => url.searchParams.append('expires', '99999999999')],
    ['no time', (url) => url.searchParams.delete('expires')],
    ['another maker', (url) => url.searchParams.set('maker', `key:${randomUUID()}`)],
    ['no maker', (url) => url.searchParams.delete('maker')],
    ['no signature', (url) => url.searchParams.delete('signature')],
    ['an empty signature', (url) => url.searchParams.set('signature', '')],
    [
      'a shorter signature',
      (url) => url.searchParams.set('signature', url.searchParams.get('signature')!.slice(0, -1)),
    ],
    [
      'the signature of another',
      (url, other) => url.searchParams.set('signature', other.searchParams.get('signature')!),
    ],
    [
      'the key of nobody',
      (url) => url.searchParams.set('signature', url.searchParams.get('signature')!.replace(/^.{8}/, '00000000')),
    ],
    ['an id of another kind', (url) => (url.pathname = url.pathname.replace(/s\/[^/]+/, `s/${sessionId}`))],
  ])('with %s is refused with the same words', async (_, change) => {
    const [one, two] = [await api.give(sessionId, 'one', 'same.txt'), await api.give(sessionId, 'two', 'same.txt')]
    expect(await statusOf(one.url)).toBe(200)
    const url = new URL(one.url)
    change(url, new URL(two.url))
    const response = await fetch(url)
    expect(response.status).toBe(403)
    expect(await response.json()).toEqual({
      error: { code: 'LINK_INVALID', message: 'Invalid or expired link.' },
    })
    expect(response.headers.get('etag')).toBeNull()
  })

  test('works until it expires', async () => {
    const { id } = await api.give(sessionId, 'brief', 'brief.txt')
    const url = await api.link(id, 2)
    const expiresAt = Number(new URL(url).searchParams.get('expires')) * 1000
    await expect.poll(() => statusOf(url)).toBe(403)
    expect(Date.now()).toBeGreaterThanOrEqual(expiresAt)
    expect(await statusOf(await api.link(id, 604_800))).toBe(200)
  })

  test.each([0, -1, 604_801])('for %i seconds is BAD_USER_INPUT', async (ttl) => {
    const { id } = await api.give(sessionId, 'x', 'x.txt')
    const query = 'query ($id: ID!, $ttl: Int!) { node(id: $id) { ... on Artifact { url(ttlSeconds: $ttl) } } }'
    const { errors } = await tabwire.send(query, { id, ttl })
    expect(errors![0]!.extensions).toMatchObject({
      code: 'BAD_USER_INPUT',
      issues: [{ path: ['ttlSeconds'], code: 'OUT_OF_RANGE' }],
    })
  })

  test('to an upload is none to a download, nor the other way round', async () => {
    const { url, id } = await api.give(sessionId, 'x', 'x.txt')
    const ticket = await api.ticket(sessionId, 'x.txt')
    const asUpload = new URL(ticket.url)
    asUpload.search = new URL(url).search
    expect((await fetch(asUpload, { method: 'PUT', body: 'y' })).status).toBe(403)
    const asDownload = new URL(url)
    asDownload.search = new URL(ticket.url).search
    expect(await statusOf(asDownload.href)).toBe(403)
    expect(await api.find(id)).not.toBeNull()
  })

  test('to what was deleted finds nothing', async () => {
    const { url, id } = await api.give(sessionId, 'x', 'x.txt')
    await api.remove(id)
    expect(await statusOf(url)).toBe(404)
    expect(await api.find(id)).toBeNull()
    const { errors } = await tabwire.send('mutation ($id: ID!) { deleteArtifact(id: $id) }', { id })
    expect(errors![0]!.extensions.code).toBe('NOT_FOUND')
  })

  test('begins with TABWIRE_PUBLIC_URL', async () => {
    const { url } = await api.give(sessionId, 'x', 'x.txt')
    expect(url.startsWith(`${tabwire.url}/artifacts/`)).toBe(true)
  })
})

describe('what is another owner’s', () => {
  test('does not exist for them, but for the link', async () => {
    const { id, url } = await api.give(sessionId, 'mine', 'mine.txt')
    const create = `mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret } }`
    const input = { name: 'Other', owner: 'other', scopes: ['READ', 'WRITE'] }
    const { secret } = (await tabwire.query<{ createApiKey: { secret: string } }>(create, { input })).createApiKey
    expect(await api.find(id, secret)).toBeNull()
    const refused = [
      tabwire.send('mutation ($id: ID!) { deleteArtifact(id: $id) }', { id }, secret),
      tabwire.send(
        'mutation ($id: ID!) { createUpload(sessionId: $id, name: "x") { url } }',
        { id: sessionId },
        secret,
      ),
      tabwire.send(
        'mutation ($id: ID!) { uploadArtifact(sessionId: $id, name: "x", base64: "") { id } }',
        { id: sessionId },
        secret,
      ),
    ]
    for (const { errors } of await Promise.all(refused)) expect(errors![0]!.extensions.code).toBe('NOT_FOUND')
    const { viewer } = await tabwire.query<{ viewer: { artifactBytes: number } }>(
      '{ viewer { artifactBytes } }',
      {},
      secret,
    )
    expect(viewer.artifactBytes).toBe(0)
    expect(await statusOf(url)).toBe(200)
  })

  test('needs WRITE to be given or deleted', async () => {
    const { id } = await api.give(sessionId, 'mine', 'mine.txt')
    const create = `mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret } }`
    const input = { name: 'Reader', scopes: ['READ'] }
    const { secret } = (await tabwire.query<{ createApiKey: { secret: string } }>(create, { input })).createApiKey
    const refused = [
      tabwire.send('mutation ($id: ID!) { deleteArtifact(id: $id) }', { id }, secret),
      tabwire.send(
        'mutation ($id: ID!) { createUpload(sessionId: $id, name: "x") { url } }',
        { id: sessionId },
        secret,
      ),
    ]
    const writer = { name: 'Writer', scopes: ['WRITE'] }
    const made = (await tabwire.query<{ createApiKey: { secret: string } }>(create, { input: writer })).createApiKey
    for (const link of ['url', 'viewerUrl', 'link { expiresAt }']) {
      const query = `mutation ($id: ID!) { uploadArtifact(sessionId: $id, name: "x", base64: "YQ==") { ${link} } }`
      refused.push(tabwire.send(query, { id: sessionId }, made.secret))
    }
    for (const { errors } of await Promise.all(refused)) expect(errors![0]!.extensions.code).toBe('FORBIDDEN')
    expect((await api.find(id, secret))!.name).toBe('mine.txt')
  })
})

describe('keys that sign', () => {
  test('last over a restart, as the artifacts do', async () => {
    const { url, id } = await api.give(sessionId, 'still there', 'x.txt')
    await tabwire.close()
    tabwire = await startTestApp({ dataDir })
    const moved = new URL(url)
    moved.port = new URL(tabwire.url).port
    expect(await (await fetch(moved)).text()).toBe('still there')
    expect((await api.find(id))!.session.id).toBe(sessionId)
    expect((await sessions.get(sessionId))!.status).toBe('CLOSED')
    const after = await api.give(sessionId, 'of an ended session', 'late.txt')
    expect(await (await fetch(after.url)).text()).toBe('of an ended session')
  })

  test('are rotated while the server runs: old links work, new ones have a new key', async () => {
    const { id, url } = await api.give(sessionId, 'x', 'x.txt')
    const keyOf = (link: string) => new URL(link).searchParams.get('signature')!.slice(0, 8)
    await rotateSigningKeys(dataDir, { dropOld: false })
    await expect.poll(async () => keyOf(await api.link(id, 60))).not.toBe(keyOf(url))
    expect(await statusOf(url)).toBe(200)
    expect(await statusOf(await api.link(id, 60))).toBe(200)

    await rotateSigningKeys(dataDir, { dropOld: true })
    await expect.poll(() => statusOf(url)).toBe(403)
    expect(await statusOf(await api.link(id, 60))).toBe(200)
    expect((await readFile(join(dataDir, 'signing-keys'), 'utf8')).trim().split('\n')).toHaveLength(1)
  })

  test('come from the environment where they are given', async () => {
    const [old, young] = ['an-old-secret-of-thirty-two-letters', 'a-new-secret-of-thirty-two-letters!']
    const { url, id } = await api.give(sessionId, 'x', 'x.txt')
    const restart = async (signingKeys: string[], publicUrl: string | null = null) => {
      await tabwire.close()
      tabwire = await startTestApp({ dataDir, signingKeys, publicUrl })
    }
    const here = (link: string) => link.replace(/^https?:\/\/[^/]+(\/wire)?/, tabwire.url)
    await restart([old])
    // Valid for longer than the restarts take.
    const ofOld = await api.link(id, 3_600)
    expect([await statusOf(here(url)), await statusOf(ofOld)]).toEqual([403, 200])
    await restart([young, old], 'https://tabs.example.org/wire')
    const ofYoung = await api.link(id, 3_600)
    expect(ofYoung).toMatch(/^https:\/\/tabs\.example\.org\/wire\/artifacts\//)
    expect([await statusOf(here(ofOld)), await statusOf(here(ofYoung))]).toEqual([200, 200])
    await restart([young])
    expect([await statusOf(here(ofOld)), await statusOf(here(ofYoung))]).toEqual([403, 200])
  })
})
