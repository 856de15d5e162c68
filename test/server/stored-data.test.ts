import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { buildSchema, getNamedType, isLeafType, isObjectType } from 'graphql'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readEntryData, unreadableEntry } from '../../src/contract/entries/read-entry.ts'
import { ENTRY_VERSION } from '../../src/contract/entries/upgrades.ts'
import type { LogPage } from '../../src/domain/log/reading/log-reader.ts'
import { SESSION_EVENT_KINDS, type LogEntry, type SessionEventKind } from '../../src/ports/log/log-entry.ts'
import { entryData, TYPE_OF } from '../support/owned-things.ts'
import { SESSION_ID, startFakeServer, type FakeServer } from './fake-server.ts'

const UUID = '01930000-0000-7000-8000-000000000001'
const SAMPLES = entryData('marker', UUID, UUID, { inputTokens: 1, outputTokens: 2, usd: 0.5 })
const AT = 1_700_000_000_000

const schema = buildSchema(readFileSync(join(import.meta.dirname, '..', '..', 'schema.graphql'), 'utf8'))

/** Every field with data of the entry itself; an artifact is a row of its own. */
function fieldsOf(name: string, prefix: string): string {
  const type = schema.getType(name)
  if (!isObjectType(type)) throw new Error(`the schema has no type ${name}`)
  const fields = Object.values(type.getFields()).flatMap(({ name: field, type: ofField }) => {
    const named = getNamedType(ofField)
    if (isLeafType(named)) return [`${prefix}${field}: ${field}`]
    return isObjectType(named) && named.name !== 'Artifact'
      ? [`${prefix}${field}: ${field} { ${fieldsOf(named.name, '')} }`]
      : []
  })
  return fields.join(' ')
}

const FIELDS = Object.values(TYPE_OF)
  .map((name) => `... on ${name} { ${fieldsOf(name, `${name}_`)} }`)
  .join('\n')

let server: FakeServer
let shown: LogEntry[] = []
beforeAll(async () => {
  const page = async (): Promise<LogPage> => ({
    entries: shown,
    hasNextPage: false,
    hasPreviousPage: false,
    startCursor: null,
    endCursor: null,
    totalCount: async () => shown.length,
  })
  server = await startFakeServer({ logs: { page } })
})
afterAll(() => server.close())

/** The nodes of a page with these entries, with every field of each. Throws if one cannot be resolved. */
async function show(entries: readonly LogEntry[]): Promise<Record<string, unknown>[]> {
  const nodes: Record<string, unknown>[] = []
  for (let start = 0; start < entries.length; start += 20) {
    shown = entries.slice(start, start + 20)
    const response = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': 'reader' },
      body: JSON.stringify({ query: `{ session(id: "${SESSION_ID}") { events(first: 20) { nodes { ${FIELDS} } } } }` }),
    })
    const { data, errors } = (await response.json()) as {
      data?: { session: { events: { nodes: Record<string, unknown>[] } } }
      errors?: unknown
    }
    if (errors || !data) throw new Error(`${JSON.stringify(errors)} of ${JSON.stringify(shown)}`)
    nodes.push(...data.session.events.nodes)
  }
  return nodes
}

const read = (kind: SessionEventKind, data: unknown, version = ENTRY_VERSION, at = AT) =>
  readEntryData({ kind, version, at, data })

const anyJson = fc.oneof(
  fc.constantFrom<unknown>(null, '', 'x', true, 0, -1, 1.5, 2 ** 31, 2 ** 53, 1e300, [], {}, [null], { x: null }),
  fc.jsonValue({ maxDepth: 2 }),
)

/** Places in a value: one member, or one of a member. */
function placesIn(value: object): string[][] {
  return Object.entries(value).flatMap(([name, member]) => [
    [name],
    ...(typeof member === 'object' && member !== null ? Object.keys(member).map((inner) => [name, inner]) : []),
  ])
}

/** A copy with another value there; undefined: without the member. */
function withValueAt(data: object, [name, ...rest]: string[], value: unknown): unknown {
  const copy = structuredClone(data) as Record<string, unknown>
  if (rest.length > 0) copy[name!] = withValueAt(copy[name!] as object, rest, value)
  else if (value === undefined) delete copy[name!]
  else copy[name!] = value
  return copy
}

/**
 * Data of each kind as each version writes it. Files of versions never change, except for kinds that the newest
 * version gains.
 */
const VERSIONS = Array.from({ length: ENTRY_VERSION }, (_, index) => index + 1)
const writtenBy = (version: number): Partial<Record<SessionEventKind, object[]>> =>
  JSON.parse(
    readFileSync(join(import.meta.dirname, '..', 'support', 'stored-entries', `version-${version}.json`), 'utf8'),
  )

describe('what a version has written', () => {
  test.each(VERSIONS)('is read: %s', async (version) => {
    const entries: LogEntry[] = []
    for (const [kind, samples] of Object.entries(writtenBy(version)) as [SessionEventKind, object[]][]) {
      for (const sample of samples) {
        const { data, problem } = read(kind, sample, version)
        expect({ kind, problem }).toEqual({ kind, problem: null })
        expect(data).toMatchObject(sample)
        entries.push({ kind, sequence: entries.length + 1, at: AT, data } as LogEntry)
      }
    }
    expect(await show(entries)).toHaveLength(entries.length)
  })

  test('is kept of every kind for later versions', () => {
    expect(Object.keys(writtenBy(ENTRY_VERSION)).sort()).toEqual([...SESSION_EVENT_KINDS].sort())
  })
})

describe.each(SESSION_EVENT_KINDS)('the data of an entry of kind %s', (kind) => {
  const sample = SAMPLES[kind]

  test('is read as it was written, and shown', async () => {
    expect(read(kind, sample)).toEqual({ data: sample, problem: null })
    const [node] = await show([{ kind, sequence: 1, at: AT, data: sample } as LogEntry])
    expect(Object.keys(node!).every((name) => name.startsWith(TYPE_OF[kind]))).toBe(true)
  })

  test('is found unreadable, or can be shown, whatever one of its members is', async () => {
    const readable: LogEntry[] = []
    let refused = 0
    fc.assert(
      fc.property(fc.constantFrom(...placesIn(sample)), fc.option(anyJson, { nil: undefined }), (place, value) => {
        const { data, problem } = read(kind, withValueAt(sample, place, value))
        if (data) readable.push({ kind, sequence: readable.length + 1, at: AT, data } as LogEntry)
        else {
          refused += 1
          expect(problem).toMatch(/^data\./)
        }
      }),
      { numRuns: 200 },
    )
    expect(refused).toBeGreaterThan(0)
    expect(await show(readable)).toHaveLength(readable.length)
  })

  test('of any version, or none at all, makes nothing throw, and says in few words what is wrong', () => {
    const version = fc.oneof(fc.integer({ min: 1, max: ENTRY_VERSION }), fc.constantFrom(-1, 0, 1.5, 99, NaN))
    fc.assert(
      fc.property(anyJson, version, (data, ofVersion) => {
        const { problem } = read(kind, data, ofVersion)
        expect(problem!.length).toBeLessThanOrEqual(200)
      }),
    )
  })

  test('is replaced by what can be shown, whatever its time was', async () => {
    const times = [0, -1, AT, Infinity, -Infinity, NaN, 9e15]
    const entries = times.map((at, index) => ({
      kind: 'ENTRIES_DROPPED' as const,
      sequence: index + 1,
      ...unreadableEntry(kind, at),
    }))
    expect(await show(entries)).toHaveLength(times.length)
    for (const at of times.slice(3)) expect(read(kind, sample, ENTRY_VERSION, at).problem).toBe('at: out of range')
  })
})
