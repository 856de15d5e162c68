import {
  getNamedType,
  isAbstractType,
  isInterfaceType,
  isLeafType,
  isObjectType,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLObjectType,
} from 'graphql'
import { describe, expect, test } from 'vitest'
import { SCOPES } from '../../src/ports/access/scope.ts'
import { initRawSocket } from '../server/raw-socket.ts'
import { authorizationApp, MARKER, rootsOf } from '../support/authorization-app.ts'
import { NEED_OF } from '../support/authorization-table.ts'
import { rootTypeOf, Walk, type Caller, type Case } from '../support/authorization-walk.ts'
import { CdpSocket } from '../support/cdp-socket.ts'
import type { Answer } from '../support/start-app.ts'

/**
 * The whole API, requested by everyone who lacks access: every field, node, cursor and link, with each scope missing
 * and each alone, by another owner, and without a key.
 */
const { app, keyOf, answerTo } = authorizationApp()

async function callerWith(name: string, scopes: readonly string[]): Promise<Caller> {
  return { name, secret: await keyOf('admin', scopes), scopes, isLiveViewLink: false }
}

/** Null: as it must be. */
async function problemOf(checked: Case): Promise<string | null> {
  const { caller, query, expected } = checked
  const answer = await answerTo(checked, caller.secret)
  const text = JSON.stringify(answer.data ?? null)
  const errors = answer.errors ?? []
  const codes = errors.map(({ extensions }) => extensions.code)
  const isRefused = codes.some((code) => code === 'FORBIDDEN' || code === 'UNAUTHENTICATED')
  const isGood = {
    refused: () => {
      const { scopes } = expected as { scopes: string[] }
      const named = caller.isLiveViewLink ? ['link'] : scopes
      return (
        errors.length > 0 &&
        errors.every(({ extensions }) => extensions.code === 'FORBIDDEN') &&
        errors.every(({ message }) => named.some((word) => message.includes(word))) &&
        !text.includes(MARKER)
      )
    },
    shown: () => errors.length === 0 && text.includes(`"__typename":"${(expected as { type: string }).type}"`),
    null: () => errors.length === 0 && text.includes('null') && !text.includes(MARKER),
    served: () => !isRefused,
  }[expected.kind]()
  return isGood ? null : `${caller.name}: ${query} → ${JSON.stringify(answer).slice(0, 300)}, not ${expected.kind}`
}

async function problemsOf(caller: Caller): Promise<{ problems: string[]; types: ReadonlySet<string> }> {
  const walk = new Walk(app().schema, caller)
  for (const root of rootsOf(app())) walk.from(root)
  const problems: string[] = []
  for (const one of walk.cases) {
    const problem = await problemOf(one)
    if (problem) problems.push(problem)
  }
  return { problems, types: walk.types }
}

const isRootOrIntrospection = ({ name }: GraphQLNamedType) => /^(__.*|Query|Mutation|Subscription)$/.test(name)

describe('the table', () => {
  test('has every field that there is, and no other', () => {
    const { schema } = app()
    const fields = Object.values(schema.getTypeMap())
      .filter((type) => isObjectType(type) || isInterfaceType(type))
      .filter(({ name }) => !name.startsWith('__'))
      .flatMap((type) => Object.keys(type.getFields()).map((field) => `${type.name}.${field}`))
    expect(fields.filter((field) => !NEED_OF.has(field))).toEqual([])
    expect([...NEED_OF.keys()].filter((field) => !fields.includes(field))).toEqual([])
  })

  test('is tried with every root field, and with every type of node', () => {
    const { schema, ann } = app()
    for (const operation of ['query', 'mutation', 'subscription'] as const) {
      const tried = new Set(rootsOf(app()).flatMap((root) => (root.operation === operation ? root.field : [])))
      expect([...tried].toSorted()).toEqual(Object.keys(rootTypeOf(schema, operation).getFields()).toSorted())
    }
    const node = schema.getType('Node')
    const types = isAbstractType(node) ? schema.getPossibleTypes(node).map(({ name }) => name) : []
    expect(Object.keys(ann.nodes).toSorted()).toEqual(types.toSorted())
  })
})

describe('a caller of the same owner', () => {
  test('with every scope sees every field', async () => {
    const { schema } = app()
    const { problems, types } = await problemsOf(await callerWith('every scope', SCOPES))
    expect(problems).toEqual([])
    const objects = Object.values(schema.getTypeMap()).filter(
      (type) => isObjectType(type) && !isRootOrIntrospection(type),
    )
    expect([...types].toSorted()).toEqual(objects.map(({ name }) => name).toSorted())
  })

  test.each(SCOPES)('without %s is refused what needs it, and nothing else', async (missing) => {
    const scopes = SCOPES.filter((scope) => scope !== missing)
    const { problems } = await problemsOf(await callerWith(`without ${missing}`, scopes))
    expect(problems).toEqual([])
  })

  test.each(SCOPES)('with %s alone sees what needs no other scope', async (scope) => {
    const { problems } = await problemsOf(await callerWith(`${scope} alone`, [scope]))
    expect(problems).toEqual([])
  })

  test('with a link to the live view sees the picture and gives input, and nothing else', async () => {
    const { liveViewToken } = app()
    const caller = { name: 'live view link', secret: liveViewToken, scopes: [], isLiveViewLink: true }
    expect((await problemsOf(caller)).problems).toEqual([])
  })

  test('sees the keys of every owner with KEYS and ADMIN alone', async () => {
    const { tabwire } = app()
    const query = '{ viewer { apiKeys(everyOwner: true) { id } } }'
    const codes = await Promise.all(
      [['KEYS', 'ADMIN'], ['KEYS'], ['READ', 'ADMIN']].map(async (scopes) => {
        const { errors } = await tabwire.send(query, {}, await keyOf('admin', scopes))
        return errors?.[0]?.extensions.code
      }),
    )
    expect(codes).toEqual([undefined, 'FORBIDDEN', 'FORBIDDEN'])
  })

  test('with WRITE alone is shown what it has just given, and not what others gave before', async () => {
    const { tabwire, live } = app()
    const key = await keyOf('admin', ['WRITE'])
    const started = await tabwire.query<{ startTask: { id: string; status: string; prompt: string } }>(
      `mutation { startTask(sessionId: "${live}", input: { prompt: "say so" }) { id status prompt } }`,
      {},
      key,
    )
    expect(started.startTask.prompt).toBe('say so')
    const cancelled = `mutation { cancelTask(id: "${started.startTask.id}") { prompt } }`
    expect((await tabwire.send(cancelled, {}, key)).errors?.[0]?.extensions.code).toBe('FORBIDDEN')
    const updated = `mutation { updateSession(id: "${live}", input: { keepAlive: true }) { keepAlive name } }`
    expect(await tabwire.send(updated, {}, key)).toMatchObject({
      data: { updateSession: { keepAlive: true, name: null } },
      errors: [{ path: ['updateSession', 'name'], extensions: { code: 'FORBIDDEN' } }],
    })
  })
})

test('without a key nothing is served, whichever way it is asked', async () => {
  const { tabwire, schema } = app()
  const raw = await initRawSocket(tabwire.url)
  for (const { operation, field, args = '' } of rootsOf(app())) {
    const { type } = rootTypeOf(schema, operation).getFields()[field]!
    const isLeaf = ['Int!', 'ID!', 'Boolean!'].includes(String(type))
    const query = `${operation} { ${field}${args} ${isLeaf ? '' : '{ __typename }'} }`
    const overHttp = await tabwire.send(query, {}, null)
    raw.send({ type: 'subscribe', id: '1', payload: { query } })
    const { payload } = await raw.message('error', '1')
    const codes = [overHttp.errors, payload as unknown as Answer<unknown>['errors']].map((errors) =>
      errors?.map(({ extensions }) => extensions.code),
    )
    expect([field, codes, overHttp.data]).toEqual([field, [['UNAUTHENTICATED'], ['UNAUTHENTICATED']], undefined])
  }
  raw.socket.close()
  await raw.closed
})

describe('another owner', () => {
  /** Requests for the first owner's data by id, with each of those ids. */
  function asksById(): (Pick<Case, 'operation' | 'query'> & { field: string; type: string })[] {
    const { schema, ann, live } = app()
    const ids = [...Object.entries(ann.nodes), ['Session', live] as const]
    const withId = rootsOf(app()).filter(
      ({ args, on }) => /\b(id|sessionId): "/.test(args ?? '') && (!on || on.type === 'Session'),
    )
    return withId.flatMap(({ operation, field, args }) =>
      ids.map(([type, id]) => {
        const selection = isLeafType(getNamedType(rootTypeOf(schema, operation).getFields()[field]!.type))
        const asked = args!.replace(/\b(id|sessionId): "[^"]*"/, `$1: "${id}"`)
        return {
          operation,
          field,
          type,
          query: `${operation} { ${field}${asked} ${selection ? '' : '{ __typename }'} }`,
        }
      }),
    )
  }

  test.each([
    ['every scope but ADMIN', SCOPES.filter((scope) => scope !== 'ADMIN')],
    ['every scope', SCOPES],
  ] as [string, readonly string[]][])('with %s: no id finds anything', async (_, scopes) => {
    const key = await keyOf('bob', scopes)
    const found: unknown[] = []
    for (const ask of asksById()) {
      // The only purpose of ADMIN.
      if (ask.field === 'revokeApiKey' && ask.type === 'ApiKey' && scopes.includes('ADMIN')) continue
      const { data, errors } = await answerTo(ask, key)
      const codes = errors?.map(({ extensions }) => extensions.code) ?? ['null']
      const isNothing = data == null || Object.values(data).every((value) => value === null)
      if (!isNothing || codes.some((code) => code !== 'NOT_FOUND' && code !== 'null')) found.push([ask, data, errors])
    }
    expect(found).toEqual([])
  })

  test('has lists of the own things alone, and own sessions under the idempotency keys of others', async () => {
    const { tabwire, bob, live } = app()
    const key = await keyOf('bob', SCOPES)
    const lists = `{ sessions(first: 100, includeTerminated: true) { totalCount nodes { id name } }
      viewer { profiles { name } apiKeys { name owner } } }`
    const listed = await tabwire.query<{ viewer: { apiKeys: { owner: string }[] } }>(lists, {}, key)
    const sessions = { totalCount: 1, nodes: [{ id: bob.session, name: 'not secret' }] }
    expect(listed).toMatchObject({ sessions, viewer: { profiles: [{ name: 'not secret' }] } })
    expect(new Set(listed.viewer.apiKeys.map(({ owner }) => owner))).toEqual(new Set(['bob']))
    const start = 'mutation { startSession(input: { idempotencyKey: "matrix" }) { id name } }'
    const { startSession } = await tabwire.query<{ startSession: { id: string; name: null } }>(start, {}, key)
    expect(startSession).toEqual({ id: expect.not.stringMatching(live), name: null })
    await tabwire.query(`mutation { terminateSession(id: "${startSession.id}") { id } }`, {}, key)
  })

  test('gets nothing for a cursor of the first: it is invalid wherever cursors are taken', async () => {
    const { tabwire, schema, bob, live } = app()
    const paged = (type: string) =>
      Object.values((schema.getType(type) as GraphQLObjectType).getFields()).filter(({ args }) =>
        args.some(({ name }) => name === 'after'),
      )
    const [ofSession, ofQuery, ofSubscription] = ['Session', 'Query', 'Subscription'].map((type) => paged(type))
    const lists = ofSession!.map(({ name }) => `${name} { pageInfo { endCursor } }`).join(' ')
    const answer = await tabwire.query<{ session: Record<string, Page>; sessions: Page }>(
      `{ session(id: "${live}") { ${lists} } sessions { pageInfo { endCursor } } }`,
    )
    const cursors = [...Object.values(answer.session), answer.sessions].map(({ pageInfo }) => pageInfo.endCursor)
    expect(cursors).toHaveLength(ofSession!.length + ofQuery!.length)

    const key = await keyOf('bob', ['READ'])
    const found: unknown[] = []
    for (const cursor of cursors) {
      const asks = [
        ...ofSession!.flatMap((field) =>
          directionsOf(field).map(
            (place) => `query { session(id: "${bob.session}") {
            ${field.name}(${place}: "${cursor}") { nodes { __typename } } } }`,
          ),
        ),
        ...ofQuery!.flatMap((field) =>
          directionsOf(field).map((place) => `query { ${field.name}(${place}: "${cursor}") { nodes { __typename } } }`),
        ),
        ...ofSubscription!.map(
          (field) => `subscription {
            ${field.name}(sessionId: "${bob.session}", after: "${cursor}") { cursor } }`,
        ),
      ]
      for (const query of asks) {
        const operation = query.startsWith('query') ? 'query' : 'subscription'
        const { data, errors } = await answerTo({ operation, query }, key)
        const isNothing = !JSON.stringify(data ?? null).includes('__typename')
        if (!isNothing || errors?.[0]?.extensions.code !== 'CURSOR_INVALID') found.push([query, data, errors])
      }
    }
    expect(found).toEqual([])
  })
})

interface Page {
  pageInfo: { endCursor: string }
}

const directionsOf = ({ args }: GraphQLField<unknown, unknown>) =>
  args.map(({ name }) => name).filter((name) => name === 'after' || name === 'before')

describe('a link', () => {
  /** The link with each part of its signature missing or changed. */
  function* forgeries(link: string): Generator<string> {
    yield link.split('?')[0]!
    for (const [name, value] of new URL(link).searchParams) {
      const [missing, changed] = [new URL(link), new URL(link)]
      missing.searchParams.delete(name)
      changed.searchParams.set(name, value.slice(0, -1) + (value.endsWith('1') ? '2' : '1'))
      yield missing.href
      yield changed.href
    }
  }

  /** A link of Bob's with the id replaced by one of Ann's, and vice versa. */
  const exchanged = (link: string, other: string) => {
    const url = new URL(link)
    url.pathname = new URL(other).pathname
    return url.href
  }

  async function upload(session: string, key: string): Promise<string> {
    const { tabwire } = app()
    const query = `mutation { uploadArtifact(sessionId: "${session}", name: "a.txt", base64: "YQ==") { url } }`
    return (await tabwire.query<{ uploadArtifact: { url: string } }>(query, {}, key)).uploadArtifact.url
  }

  async function ticket(session: string, key: string): Promise<string> {
    const { tabwire } = app()
    const query = `mutation { createUpload(sessionId: "${session}", name: "a.txt") { url } }`
    return (await tabwire.query<{ createUpload: { url: string } }>(query, {}, key)).createUpload.url
  }

  test('to a file opens that file alone', async () => {
    const { tabwire, ann, bob } = app()
    const [mine, theirs] = [
      await upload(ann.session, tabwire.apiKey),
      await upload(bob.session, await keyOf('bob', SCOPES)),
    ]
    expect((await fetch(mine)).status).toBe(200)
    for (const link of [...forgeries(mine), exchanged(theirs, mine), exchanged(mine, theirs)]) {
      expect([link, (await fetch(link)).status]).toEqual([link, 403])
    }
  })

  test('to an upload takes that upload alone', async () => {
    const { tabwire, ann, bob } = app()
    const [mine, theirs] = [
      await ticket(ann.session, tabwire.apiKey),
      await ticket(bob.session, await keyOf('bob', SCOPES)),
    ]
    const put = (link: string) => fetch(link, { method: 'PUT', body: 'b' })
    for (const link of [...forgeries(mine), exchanged(theirs, mine), exchanged(mine, theirs)]) {
      expect([link, (await put(link)).status]).toEqual([link, 403])
    }
    expect((await put(mine)).status).toBe(201)
  })

  test('to the browser opens that session alone', async () => {
    const { tabwire, ann, bob, live } = app()
    const query = `{ session(id: "${live}") { access { cdpUrl } } }`
    const { session } = await tabwire.query<{ session: { access: { cdpUrl: string } } }>(query)
    const { cdpUrl } = session.access
    for (const link of [...forgeries(cdpUrl), cdpUrl.replace(live, bob.session), cdpUrl.replace(live, ann.session)]) {
      await expect(CdpSocket.connect(link)).rejects.toThrow('401')
      const [path, search = ''] = link.replace(/^ws/, 'http').split('?')
      expect([link, (await fetch(`${path}/json/version?${search}`)).status]).toEqual([link, 401])
    }
    await using socket = await CdpSocket.connect(cdpUrl)
    expect(await socket.send('Browser.getVersion')).toHaveProperty('product')
  })

  test('to the live view is no key where a part of it is changed', async () => {
    const { tabwire, liveViewToken } = app()
    const parts = liveViewToken.split('_')
    for (const [index, part] of parts.entries()) {
      const changed = part.slice(0, -1) + (part.endsWith('1') ? '2' : '1')
      const { errors } = await tabwire.send('{ capacity { total } }', {}, parts.with(index, changed).join('_'))
      expect([index, errors?.[0]?.extensions.code]).toEqual([index, 'UNAUTHENTICATED'])
    }
  })
})
