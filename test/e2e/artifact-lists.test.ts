import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodeGlobalId } from '../../src/contract/global-id.ts'
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
  for (const name of ['a', 'b', 'c', 'd', 'e']) await api.give(sessionId, name, name)
})
afterAll(async () => {
  await tabwire?.close()
  await rm(dataDir, { recursive: true, force: true })
})

interface List {
  totalCount: number
  nodes: { name: string }[]
  edges: { cursor: string }[]
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string | null; endCursor: string | null }
}

const query = `query ($id: ID!, $first: Int, $after: String, $kind: ArtifactKind) { session(id: $id) {
  artifacts(first: $first, after: $after, kind: $kind) {
    totalCount nodes { name } edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }`
const list = async (variables: Record<string, unknown> = {}) =>
  (await tabwire.query<{ session: { artifacts: List } }>(query, { id: sessionId, ...variables })).session.artifacts

describe('the artifacts of a session', () => {
  test('are listed oldest first, in pages', async () => {
    const all = await list()
    expect(all.nodes.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(all.pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: false })
    const seen: string[] = []
    for (let after: string | null = null, more = true; more;) {
      const page: List = await list({ first: 2, after })
      expect(page.totalCount).toBe(5)
      expect(page.pageInfo.endCursor).toBe(page.edges.at(-1)!.cursor)
      seen.push(...page.nodes.map(({ name }) => name))
      after = page.pageInfo.endCursor
      more = page.pageInfo.hasNextPage
    }
    expect(seen).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  test('of one kind', async () => {
    expect((await list({ kind: 'UPLOAD' })).totalCount).toBe(5)
    const none = await list({ kind: 'TRACE' })
    expect(none).toMatchObject({ totalCount: 0, nodes: [], pageInfo: { startCursor: null, endCursor: null } })
  })

  test.each([0, -1, 1001])('not %i at once', async (first) => {
    const { errors } = await tabwire.send(query, { id: sessionId, first })
    expect(errors![0]!.extensions).toMatchObject({ code: 'BAD_USER_INPUT', issues: [{ path: ['first'] }] })
  })

  test('not from the cursor of another list', async () => {
    const other = (await sessions.start()).id
    await api.give(other, 'x', 'x')
    const { edges } = await list({ id: other })
    for (const after of [edges[0]!.cursor, 'nonsense', '']) {
      const { errors } = await tabwire.send(query, { id: sessionId, after })
      expect(errors![0]!.extensions.code).toBe('CURSOR_INVALID')
    }
    await sessions.terminate(other)
  })

  test('are nodes, found by their id alone', async () => {
    const { id } = await api.give(sessionId, 'node', 'node.txt')
    const node = await tabwire.query<{ node: unknown }>('query ($id: ID!) { node(id: $id) { __typename id } }', { id })
    expect(node).toEqual({ node: { __typename: 'Artifact', id } })
    expect(await api.find(`${id}x`)).toBeNull()
    await api.remove(id)
  })
})

describe('after the session ended', () => {
  test('they stay until the retention takes them, bytes and rows, before the session', async () => {
    await sessions.terminate(sessionId)
    expect((await list()).totalCount).toBe(5)
    await tabwire.close()

    // As if a server had died between bytes and row; and bytes of a session unknown to this database.
    const { uuid } = decodeGlobalId(sessionId)!
    const bytes = join(dataDir, 'artifacts')
    const abandoned = join(bytes, uuid, randomUUID())
    await writeFile(abandoned, 'no row')
    await utimes(abandoned, 1, 1)
    const young = join(bytes, uuid, randomUUID())
    await writeFile(young, 'a row may come')
    tabwire = await startTestApp({ dataDir })
    const names = async () => await readdir(join(bytes, uuid)).catch(() => [])
    await expect.poll(names).toHaveLength(6)
    expect(await names()).not.toContain(abandoned.split('/').at(-1))
    expect((await list()).totalCount).toBe(5)
    await tabwire.close()

    // A day of retention, two days later.
    tabwire = await startTestApp({ dataDir, retentionDays: 0.000_000_001 })
    await expect.poll(() => sessions.get(sessionId)).toBeNull()
    expect(await api.usedBytes()).toBe(0)
    await expect.poll(names).toEqual([young.split('/').at(-1)])
  })
})
