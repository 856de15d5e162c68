import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  getNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  type GraphQLInputType,
  type GraphQLOutputType,
} from 'graphql'
import { describe, expect, test } from 'vitest'
import { schema } from '../src/schema/schema.ts'

/** docs/devtools.md against the schema and the protocol: each row says where its data are, or why there are none. */

const ROOT = join(import.meta.dirname, '..')
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')

interface Row {
  subject: string
  place: string
}

/** The rows of the table below each heading. */
const tables = new Map(
  read('docs/devtools.md')
    .split(/^## /m)
    .slice(1)
    .map((section): [string, Row[]] => {
      const [heading = '', ...lines] = section.split('\n')
      const rows = lines
        .filter((line) => line.startsWith('|'))
        .slice(2)
        .map((line) => line.split('|').slice(1, -1))
      return [
        heading,
        rows.map(([subject = '', ...places]) => ({ subject: subject.trim(), place: places.join(' | ').trim() })),
      ]
    }),
)

/** Types whose fields a section names without their type. */
const TYPES_OF: Readonly<Record<string, readonly string[]>> = {
  Console: ['ConsoleMessage', 'Session', 'ConsoleFilter', 'EvaluateInput'],
  Network: [
    'NetworkRequest',
    'RequestInitiator',
    'Session',
    'NetworkFilter',
    'StartSessionInput',
    'UpdateSessionInput',
    'Body',
  ],
  Issues: ['Issue'],
}

/** Names of the browser, the language and formats, which no schema has. */
const ELSEWHERE: ReadonlySet<string> = new Set([
  'await',
  'chromium-headless-shell',
  'clear',
  'data:',
  'fetch',
  'groupEnd',
  'performance.timing',
  'referer',
  'server-timing',
  'ws:',
])

/** Members of the JSON in `arguments`, as docs/log.md describes them. */
const [, ARGUMENTS = ''] = /^## Console arguments\n([^]*?)^## /m.exec(read('docs/log.md')) ?? []
const ARGUMENT_MEMBERS = [...ARGUMENTS.matchAll(/`(\w+)`/g)].map(([, name]) => name!)

interface Protocol {
  domains: { domain: string; commands?: { name: string }[]; events?: { name: string }[] }[]
}
const protocol = ['browser_protocol', 'js_protocol'].flatMap(
  (name) => (JSON.parse(read(`node_modules/devtools-protocol/json/${name}.json`)) as Protocol).domains,
)

interface Field {
  type: GraphQLInputType | GraphQLOutputType
}

function fieldOf(typeName: string, field: string): Field | undefined {
  const type = schema.getType(typeName)
  const isWithFields = isObjectType(type) || isInterfaceType(type) || isInputObjectType(type)
  return isWithFields ? type.getFields()[field] : undefined
}

/** What is at the end of `a.b.c`, from a type or from a field of one of the types of the section. */
function fieldAt(path: string, section: string): Field | undefined {
  const [first = '', ...rest] = path.split('.')
  if (schema.getType(first)) return rest.length === 0 ? undefined : follow(fieldOf(first, rest[0]!), rest.slice(1))
  const found = (TYPES_OF[section] ?? []).map((type) => fieldOf(type, first)).find((field) => field)
  return follow(found, rest)
}

const follow = (field: Field | undefined, names: readonly string[]): Field | undefined =>
  names.reduce<Field | undefined>((at, name) => at && fieldOf(getNamedType(at.type).name, name), field)

/** An operation, or an action with the names of its input. */
function argumentOf(call: string, name: string): Field | undefined {
  for (const type of [schema.getQueryType(), schema.getMutationType()]) {
    const found = type?.getFields()[call]?.args.find((argument) => argument.name === name)
    if (found) return found
  }
  const action = fieldOf('ActionInput', call)
  return action && fieldOf(getNamedType(action.type).name, name)
}

function isValueOf(field: Field | undefined, value: string): boolean {
  if (!field) return false
  const type = getNamedType(field.type)
  return isEnumType(type) ? type.getValue(value.replace(/^\[(.*)\]$/, '$1')) !== undefined : type.name === 'String'
}

const isOperation = (name: string) =>
  [schema.getQueryType(), schema.getMutationType()].some((type) => type?.getFields()[name])

const isOfProtocol = (path: string) => {
  const [domain, name] = path.split('.')
  const found = protocol.find((one) => one.domain === domain)
  return [...(found?.commands ?? []), ...(found?.events ?? [])].some((one) => one.name === name)
}

/** Whether a name in backticks is one that there is. */
function exists(code: string, section: string): boolean {
  const [, call, given, givenValue] = /^(\w+)\((\w+)(?:: (\w+))?\)$/.exec(code) ?? []
  if (call !== undefined) {
    const argument = argumentOf(call, given!)
    return argument !== undefined && (givenValue === undefined || isValueOf(argument, givenValue))
  }
  const [, name, value] = /^([\w.]+): (\[?\w+\]?)$/.exec(code) ?? []
  if (name !== undefined) return isValueOf(fieldAt(name, section), value!)
  if (/^[A-Z_]+$/.test(code)) return (TYPES_OF[section] ?? []).some((type) => hasValue(type, code))
  return (
    ELSEWHERE.has(code) ||
    schema.getType(code) !== undefined ||
    fieldAt(code, section) !== undefined ||
    isOperation(code) ||
    fieldOf('ActionInput', code) !== undefined ||
    fieldOf('SessionAccess', code) !== undefined ||
    (section === 'Console' && ARGUMENT_MEMBERS.includes(code)) ||
    isOfProtocol(code)
  )
}

function hasValue(typeName: string, value: string): boolean {
  const type = schema.getType(typeName)
  const fields = isObjectType(type) ? Object.values(type.getFields()) : []
  return fields.some((field) => {
    const named = getNamedType(field.type)
    return isEnumType(named) && named.getValue(value) !== undefined
  })
}

const namesIn = (place: string) => [...place.matchAll(/`([^`]+)`/g)].map(([, code]) => code!)

/** Gaps, and the words that begin the reason for one. */
const GAP = /\b(?:not (?:recorded|reported)|none)\b/gi
const WITH_REASON = /\b(?:not (?:recorded|reported)|none)(?:: \S|, (?:since|but) \S)|not reported by `\S/gi

describe('docs/devtools.md', () => {
  test('has the panels of DevTools that a log is about', () => {
    expect([...tables.keys()]).toEqual(['Console', 'Network', 'Issues'])
    expect([...tables.values()].every((rows) => rows.length > 5)).toBe(true)
  })

  test.each([...tables.keys()])('%s: no row is empty, and no gap without a reason', (section) => {
    const rows = tables.get(section)!
    expect(rows.filter(({ subject, place }) => subject === '' || place === '')).toEqual([])
    // Two cells each.
    expect(rows.filter(({ place }) => place.includes('|'))).toEqual([])
    const unexplained = rows.filter(
      ({ place }) => (place.match(GAP)?.length ?? 0) > (place.match(WITH_REASON)?.length ?? 0),
    )
    expect(unexplained).toEqual([])
    expect(new Set(rows.map(({ subject }) => subject)).size).toBe(rows.length)
  })

  test.each([...tables.keys()])('%s: each type, field, argument, value and command exists', (section) => {
    const unknown = tables.get(section)!.flatMap(({ place }) => namesIn(place).filter((code) => !exists(code, section)))
    expect(unknown).toEqual([])
  })

  test('is read closely enough to notice names that there are not', () => {
    const wrong = [
      'NetworkRequest.urls',
      'exportLog(format: PDF)',
      'exportLog(form)',
      'source: BROWSERS',
      'Network.block',
      'initiator.line',
    ]
    expect(wrong.filter((code) => exists(code, 'Network'))).toEqual([])
    expect(exists('initiator.location.line', 'Network')).toBe(true)
  })
})
