import { randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { decodeGlobalId, encodeGlobalId } from '../../src/contract/global-id.ts'
import { leakGate } from '../support/leak-gate.ts'
import { sessionApi } from '../support/session-api.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'
import { readEntireLog } from '../support/entire-log.ts'

leakGate()

/** Stores the value of /keep?value=…, and reports at /tell what the site and the page still know. */
const KEEP = `<!doctype html><link rel="icon" href="data:,"><body><script>
  const value = new URL(location).searchParams.get('value')
  localStorage.setItem('local', value)
  const opening = indexedDB.open('db', 1)
  opening.onupgradeneeded = () => opening.result.createObjectStore('things')
  opening.onsuccess = () => {
    const transaction = opening.result.transaction('things', 'readwrite')
    transaction.objectStore('things').put(value, 'indexed')
    transaction.oncomplete = () => { document.body.innerHTML = '<p id=done>kept</p>' }
  }
</script>`
const TELL = `<!doctype html><link rel="icon" href="data:,"><pre id="out"></pre><script>
  const cookies = COOKIES
  const opening = indexedDB.open('db', 1)
  opening.onupgradeneeded = () => opening.result.createObjectStore('things')
  opening.onsuccess = () => {
    const reading = opening.result.transaction('things').objectStore('things').get('indexed')
    reading.onsuccess = () => {
      out.textContent = JSON.stringify({ cookies, local: localStorage.getItem('local'), indexed: reading.result ?? null })
    }
  }
</script>`
/** Notifies the site before it hangs; a synchronous request blocks everything else. */
const HANG = `<!doctype html><link rel="icon" href="data:,"><script>
  localStorage.setItem('a', 'b')
  setTimeout(() => {
    const request = new XMLHttpRequest()
    request.open('GET', '/hanging', false)
    request.send()
    for (;;);
  })
</script>`

/** Cookies ignore ports, so two sites need two names. */
async function startSite(host: string): Promise<{ url: string; server: Server; hanging: Promise<void> }> {
  const { promise: hangs, resolve: hanging } = Promise.withResolvers<void>()
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://site')
    const value = url.searchParams.get('value')
    response.setHeader('content-type', 'text/html')
    if (url.pathname === '/keep') {
      response.setHeader('set-cookie', [`hidden=${value}; HttpOnly; Max-Age=3600`, `session=${value}; SameSite=Strict`])
      response.end(KEEP)
    } else if (url.pathname === '/hang') {
      response.end(HANG)
    } else if (url.pathname === '/hanging') {
      response.end()
      hanging()
    } else {
      response.end(TELL.replace('COOKIES', JSON.stringify(request.headers.cookie ?? '')))
    }
  })
  const { promise: listening, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await listening
  return { url: `http://${host}:${(server.address() as AddressInfo).port}`, server, hanging: hangs }
}

let dataDir: string
let tabwire: TestApp
let one: Awaited<ReturnType<typeof startSite>>
let other: Awaited<ReturnType<typeof startSite>>
const api = sessionApi(() => tabwire)

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'tabwire-test-'))
  one = await startSite('127.0.0.1')
  other = await startSite('localhost')
  tabwire = await startTestApp({ dataDir })
})

afterAll(async () => {
  await tabwire.close()
  for (const { server } of [one, other]) {
    server.closeAllConnections()
    const { promise: closed, resolve } = Promise.withResolvers<void>()
    server.close(() => resolve())
    await closed
  }
  await rm(dataDir, { recursive: true, force: true })
})

const act = async (id: string, actions: object[]) => {
  const query = `mutation ($id: ID!, $actions: [ActionInput!]!) { runActions(sessionId: $id, actions: $actions) { success error { message } result } }`
  const { runActions } = await tabwire.query<{ runActions: { success: boolean; error: unknown; result: unknown }[] }>(
    query,
    { id, actions },
  )
  expect(runActions.map(({ error }) => error)).toEqual(runActions.map(() => null))
  return runActions
}
const keep = (id: string, site: string, value: string) =>
  act(id, [{ navigate: { url: `${site}/keep?value=${value}` } }, { wait: { target: { css: '#done' } } }])
const tell = async (id: string, site: string) => {
  const [, , taken] = await act(id, [
    { navigate: { url: `${site}/tell` } },
    { wait: { target: { css: '#out:not(:empty)' } } },
    { extract: { target: { css: '#out' } } },
  ])
  return JSON.parse(taken!.result as string) as { cookies: string; local: string; indexed: string }
}
const SAVE = `mutation ($id: ID!, $name: String!) { saveProfile(sessionId: $id, name: $name) { id name sizeBytes createdAt updatedAt } }`
interface ProfileData {
  id: string
  name: string
  sizeBytes: number
  createdAt: string
  updatedAt: string
}
const save = async (id: string, name: string) =>
  (await tabwire.query<{ saveProfile: ProfileData }>(SAVE, { id, name })).saveProfile
const known = (value: string) => ({ cookies: `hidden=${value}; session=${value}`, local: value, indexed: value })
const kindsOf = (id: string) =>
  readEntireLog<{ __typename: string; pageId?: string }>(tabwire, id, '__typename ... on PageOpened { pageId }')

let profile: ProfileData

test('a session starts with what another knew, on every origin, without a trace in the log', async () => {
  const { id } = await api.start()
  await keep(id, one.url, 'first')
  await keep(id, other.url, 'second')
  await api.recorded(id)
  const before = await kindsOf(id)
  profile = await save(id, 'shop')
  await api.recorded(id)
  expect(await kindsOf(id)).toEqual(before)
  expect((await api.get(id))?.pages.map((page) => page.id)).toEqual(['p1'])
  await api.terminate(id)

  const next = await api.start({ profileId: profile.id })
  expect(await tell(next.id, one.url)).toEqual(known('first'))
  expect(await tell(next.id, other.url)).toEqual(known('second'))
  const opened = (await kindsOf(next.id)).filter(({ __typename }) => __typename === 'PageOpened')
  expect(opened).toEqual([{ __typename: 'PageOpened', pageId: 'p1' }])
  await api.terminate(next.id)
})

test('also after a restart, and two at a time, each with its own from then on', async () => {
  await tabwire.close()
  tabwire = await startTestApp({ dataDir })
  const [left, right] = await Promise.all([api.start({ profileId: profile.id }), api.start({ profileId: profile.id })])
  await keep(left.id, one.url, 'changed')
  expect(await tell(right.id, one.url)).toEqual(known('first'))
  expect(await tell(left.id, one.url)).toEqual(known('changed'))

  const query = `query ($id: ID!) { session(id: $id) { profile { id name } } viewer { profiles { name } } node(id: $profile) { __typename } }`
  expect(
    await tabwire.query(query.replace('$id: ID!', '$id: ID!, $profile: ID!'), { id: left.id, profile: profile.id }),
  ).toEqual({
    session: { profile: { id: profile.id, name: 'shop' } },
    viewer: { profiles: [{ name: 'shop' }] },
    node: { __typename: 'Profile' },
  })
  const again = await save(left.id, 'shop')
  expect(again).toMatchObject({ id: profile.id, createdAt: profile.createdAt })
  const third = await api.start({ profileId: profile.id })
  expect(await tell(third.id, one.url)).toEqual(known('changed'))
  for (const { id } of [left, right, third]) await api.terminate(id)
})

test('a page that hangs costs an answer, not the session', async () => {
  const { id } = await api.start()
  await act(id, [{ navigate: { url: `${one.url}/hang`, waitUntil: 'COMMIT' } }])
  await one.hanging
  const { errors } = await tabwire.send(SAVE, { id, name: 'hung' })
  expect(errors?.[0]?.extensions.code).toBe('TIMEOUT')
  expect(await api.get(id)).toMatchObject({ status: 'RUNNING' })
  await api.terminate(id)
})

test('with another key it starts no session, and says what to do', async () => {
  await tabwire.close()
  tabwire = await startTestApp({ dataDir, profileKeys: ['another secret of at least thirty-two characters'] })
  const start = `mutation ($id: ID!) { startSession(input: { profileId: $id }) { id } }`
  const { errors } = await tabwire.send(start, { id: profile.id })
  expect(errors?.[0]).toMatchObject({
    message: expect.stringContaining('TABWIRE_PROFILE_KEY') as string,
    extensions: { code: 'PROFILE_UNREADABLE' },
  })
  expect(await tabwire.query('{ sessions { totalCount } }')).toEqual({ sessions: { totalCount: 0 } })
  await tabwire.close()
  tabwire = await startTestApp({ dataDir })
})

test('health is told while a step holds up a page', async () => {
  const { id } = await api.start()
  const run = `mutation ($id: ID!) {
    runActions(sessionId: $id, actions: [{ evaluate: { expression: "for (;;);", timeoutMs: 5000 } }]) { error { code } } }`
  let isStuck = true
  const stuck = tabwire.query<{ runActions: object[] }>(run, { id }).finally(() => (isStuck = false))
  const query = `query ($id: ID!) { session(id: $id) { health { status browserResponsive uptimeMs } } }`
  const isResponsive = async () => {
    const { session } = await tabwire.query<{ session: { health: { browserResponsive: boolean } } }>(query, { id })
    return isStuck && session.health.browserResponsive
  }
  // A busy machine may take longer than a browser has to respond.
  await expect.poll(isResponsive).toBe(true)
  expect((await stuck).runActions).toMatchObject([{ error: { code: 'TIMEOUT' } }])
  await api.terminate(id)
})

test('an id that names none is refused, after everything else that is wrong', async () => {
  const start = `mutation ($input: StartSessionInput!) { startSession(input: $input) { id } }`
  const issuesOf = async (input: object) => (await tabwire.send(start, { input })).errors?.[0]?.extensions['issues']
  const { uuid } = decodeGlobalId(profile.id)!
  const missing = { path: ['input', 'profileId'], code: 'NOT_FOUND', message: 'Profile not found.' }
  for (const profileId of [
    uuid,
    'nonsense',
    encodeGlobalId('Session', uuid),
    encodeGlobalId('Profile', randomUUID()),
  ]) {
    expect(await issuesOf({ profileId })).toEqual([missing])
    expect(await issuesOf({ profileId, name: '' })).toMatchObject([{ path: ['input', 'name'] }])
  }
  const both = [{ path: ['input', 'name'] }, { path: ['input', 'profileId'] }]
  expect(await issuesOf({ profileId: '', name: '' })).toMatchObject(both)
  expect(await issuesOf({ profileId: 'x'.repeat(501), name: '' })).toMatchObject(both)
})

test('belongs to its owner, and goes when it is deleted', async () => {
  const create = `mutation { createApiKey(input: { name: "b", owner: "bob", scopes: [READ, WRITE] }) { secret } }`
  const { createApiKey } = await tabwire.query<{ createApiKey: { secret: string } }>(create)
  const start = `mutation ($id: ID!) { startSession(input: { profileId: $id }) { id } }`
  const remove = `mutation ($id: ID!) { deleteProfile(id: $id) }`
  const foreign = await tabwire.send(start, { id: profile.id }, createApiKey.secret)
  expect(foreign.errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', issues: [{ code: 'NOT_FOUND' }] })
  expect((await tabwire.send(remove, { id: profile.id }, createApiKey.secret)).errors?.[0]?.extensions.code).toBe(
    'NOT_FOUND',
  )
  expect(await tabwire.query(remove, { id: profile.id })).toEqual({ deleteProfile: profile.id })
  expect((await tabwire.send(remove, { id: profile.id })).errors?.[0]?.extensions.code).toBe('NOT_FOUND')
  expect((await tabwire.send(start, { id: profile.id })).errors?.[0]?.extensions.code).toBe('BAD_USER_INPUT')
  const unknown = await tabwire.send(SAVE, { id: randomUUID(), name: 'x' })
  expect(unknown.errors?.[0]?.extensions.code).toBe('NOT_FOUND')
})
