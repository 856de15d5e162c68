import { getNamedType, isLeafType, isRequiredArgument, type GraphQLObjectType } from 'graphql'
import { expect, test } from 'vitest'
import { schema } from '../../src/schema/schema.ts'
import type { Answer } from '../support/start-app.ts'
import { startTestSite } from '../support/test-site.ts'
import { withApp } from '../support/with-app.ts'

const { tabwire, site, start, terminate } = withApp(startTestSite)

const ACCESS = `query ($id: ID!, $ttl: Int!) { session(id: $id) { access(ttlSeconds: $ttl) { liveViewUrl } } }`
const INPUT = `mutation ($id: ID!) { dispatchInput(sessionId: $id, events: [{ text: { text: "a" } }]) }`
const CAST = `subscription ($id: ID!) { screencast(sessionId: $id) { pageId width } }`

async function tokenOf(id: string, apiKey = tabwire().apiKey, ttl = 60): Promise<string> {
  const { session } = await tabwire().query<{ session: { access: { liveViewUrl: string } } }>(
    ACCESS,
    { id, ttl },
    apiKey,
  )
  const fragment = new URLSearchParams(new URL(session.access.liveViewUrl).hash.slice(1))
  expect(fragment.get('live')).toBe(id)
  return fragment.get('token')!
}

async function keyWith(scopes: string): Promise<string> {
  const create = `mutation { createApiKey(input: { name: "some", scopes: [${scopes}] }) { secret } }`
  return (await tabwire().query<{ createApiKey: { secret: string } }>(create)).createApiKey.secret
}

const codeOf = ({ errors }: Answer<unknown>) => errors?.[0]?.extensions.code

/** Why a subscription was refused; undefined: it was not. */
async function firstCode(query: string, token: string): Promise<unknown> {
  for await (const { errors } of tabwire().client(token).iterate({ query })) return errors?.[0]?.extensions?.['code']
  return undefined
}

/** The first frame, or the error code. */
async function firstFrame(id: string, token: string): Promise<string> {
  for await (const { data, errors } of tabwire()
    .client(token)
    .iterate<{ screencast: { pageId: string } }>({ query: CAST, variables: { id } })) {
    return data?.screencast.pageId ?? String(errors?.[0]?.extensions?.['code'])
  }
  return 'completed'
}

test('someone without a key sees the session and gives it input, and no other', async () => {
  const [session, other] = [await start({ initialPrompt: `${site().url}/title` }, 'LOADED'), await start()]
  const token = await tokenOf(session.id)
  expect(await firstFrame(session.id, token)).toBe('p1')
  expect(await tabwire().query(INPUT, { id: session.id }, token)).toEqual({ dispatchInput: true })
  expect(await firstFrame(other.id, token)).toBe('NOT_FOUND')
  expect(codeOf(await tabwire().send(INPUT, { id: other.id }, token))).toBe('NOT_FOUND')
  await terminate(other.id)
  await terminate(session.id)
  expect(codeOf(await tabwire().send(INPUT, { id: session.id }, token))).toBe('UNAUTHENTICATED')
})

test('a key that may not write gives links that may not either', async () => {
  const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
  const token = await tokenOf(session.id, await keyWith('READ, CONNECT'))
  expect(await firstFrame(session.id, token)).toBe('p1')
  expect(codeOf(await tabwire().send(INPUT, { id: session.id }, token))).toBe('FORBIDDEN')
  const forged = token.replace('_r_', '_rw_')
  expect(codeOf(await tabwire().send(INPUT, { id: session.id }, forged))).toBe('UNAUTHENTICATED')
  await terminate(session.id)
})

test('a key that may not read gives none, though it may let clients connect', async () => {
  const startWith = `mutation { startSession(waitUntil: RUNNING) { id access { FIELD } } }`
  const secret = await keyWith('WRITE, CONNECT')
  const { startSession } = await tabwire().query<{ startSession: { id: string; access: { cdpUrl: string } } }>(
    startWith.replace('FIELD', 'cdpUrl'),
    {},
    secret,
  )
  expect(startSession.access.cdpUrl).toContain('/cdp/')
  await terminate(startSession.id)
  const refused = await tabwire().send<{ startSession: { id: string } }>(
    startWith.replace('FIELD', 'liveViewUrl'),
    {},
    secret,
  )
  expect(codeOf(refused)).toBe('FORBIDDEN')
  await terminate(refused.data!.startSession.id)
})

test('ends with its time, also for who looks at the moment', async () => {
  const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
  const token = await tokenOf(session.id, tabwire().apiKey, 2)
  const frames = tabwire()
    .client(token)
    .iterate({ query: CAST, variables: { id: session.id } })
  const seen = (async () => {
    for await (const frame of frames) void frame
  })()
  await expect(seen).rejects.toMatchObject({ code: 4403 })
  expect(codeOf(await tabwire().send(INPUT, { id: session.id }, token))).toBe('UNAUTHENTICATED')
  await terminate(session.id)
})

test('everything else is refused, whatever there is', async () => {
  const session = await start()
  const token = await tokenOf(session.id)
  const roots = [
    ['query', schema.getQueryType()],
    ['mutation', schema.getMutationType()],
    ['subscription', schema.getSubscriptionType()],
  ] as const
  for (const [operation, type] of roots) {
    for (const field of Object.values((type as GraphQLObjectType).getFields())) {
      if (field.name === 'dispatchInput' || field.name === 'screencast') continue
      const given: Record<string, string> = {}
      for (const argument of field.args.filter(isRequiredArgument))
        given[argument.name] = VALUES[`${field.name}.${argument.name}`] ?? VALUES[argument.name] ?? '{}'
      const list = Object.entries(given).map(
        ([name, value]) => `${name}: ${value === 'ID' ? JSON.stringify(session.id) : value}`,
      )
      const called = `${field.name}${list.length > 0 ? `(${list.join(', ')})` : ''}`
      const selections = isLeafType(getNamedType(field.type)) ? '' : '{ __typename }'
      const query = `${operation} { ${called} ${selections} }`
      const code =
        operation === 'subscription' ? await firstCode(query, token) : codeOf(await tabwire().send(query, {}, token))
      expect([field.name, code]).toEqual([field.name, 'FORBIDDEN'])
    }
  }
  await terminate(session.id)
})

const VALUES: Record<string, string> = {
  id: 'ID',
  sessionId: 'ID',
  actions: '[{ back: {} }]',
  name: '"x"',
  machineId: '"x"',
  base64: '""',
  'sessions.filter': '{ name: "x" }',
  format: 'HAR',
  'startTask.input': '{ prompt: "x" }',
  'createApiKey.input': '{ name: "x", scopes: [READ] }',
}
