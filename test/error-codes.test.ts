import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isEnumType, isObjectType } from 'graphql'
import { CloseCode } from 'graphql-ws'
import { describe, expect, test } from 'vitest'
import { CDP_CLOSE } from '../src/contract/cdp-close-codes.ts'
import { schema } from '../src/schema/schema.ts'

/** docs/error-codes.md against the code: each code that a client can see has a row, and each row is of such a code. */

const ROOT = join(import.meta.dirname, '..')
const sourcesOf = (pattern: string) =>
  globSync(pattern, { cwd: ROOT })
    .map((file) => readFileSync(join(ROOT, file), 'utf8'))
    .join('\n')
const everything = sourcesOf('src/**/*.ts')

/** The tables of the document, by the heading above each; of each row the cells by the names of their columns. */
const sections = new Map(
  readFileSync(join(ROOT, 'docs/error-codes.md'), 'utf8')
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const [heading = '', ...lines] = section.split('\n')
      const [columns = [], , ...rows] = lines
        .filter((line) => line.startsWith('|'))
        .map((line) => line.split('|').slice(1, -1))
        .map((cells) => cells.map((cell) => cell.trim()))
      return [
        heading,
        rows.map((row) => Object.fromEntries(columns.map((column, index) => [column, row[index] ?? '']))),
      ]
    }),
)

const rowsOf = (heading: string) => {
  const rows = sections.get(heading)
  if (!rows) throw new Error(`there is no section "${heading}"`)
  return rows
}
const codesOf = (heading: string) => rowsOf(heading).map(({ code }) => code!.replaceAll('`', ''))
const matchesOf = (pattern: RegExp, text = everything) => [
  ...new Set([...text.matchAll(pattern)].map(([, code]) => code!)),
]
const valuesOf = (name: string) => {
  const type = schema.getType(name)
  if (!isEnumType(type)) throw new Error(`${name} is no enum`)
  return type.getValues().map((value) => value.name)
}

/** Every class of refusals, up to where the next top-level declaration begins. */
const classes = [...everything.matchAll(/^(?:export )?(?:abstract )?class (\w+) extends TabwireError\b[^]*?^\}/gm)].map(
  ([body, name]) => ({
    name: name!,
    code: /readonly code = '(\w+)'/.exec(body)?.[1] ?? null,
    isDynamic: /readonly code: string\n/.test(body),
    saysWhen: body.includes('retryAfterSeconds'),
  }),
)

describe('codes of GraphQL errors', () => {
  test('classes of refusals have a code, and are thrown', () => {
    expect(classes.length).toBeGreaterThan(20)
    expect(classes.filter(({ code, isDynamic }) => code === null && !isDynamic)).toEqual([])
    const unused = classes.filter(({ name }) => !new RegExp(`new ${name}\\(`).test(everything))
    expect(unused.map(({ name }) => name)).toEqual([])
  })

  test('only observations, with those of actions, and refusals of other machines have codes that they do not name', () => {
    expect(classes.filter(({ isDynamic }) => isDynamic).map(({ name }) => name)).toEqual([
      'RemoteRefusal',
      'ObservationFailed',
    ])
  })

  test('are those of the table', () => {
    const ofClasses = classes.map(({ code }) => code).filter((code) => code !== null)
    const ofRequests = matchesOf(/requestError\(.*?'([A-Z_]+)'/g)
    const ofMasks = matchesOf(/extensions: \{ code: '([A-Z_]+)'/g)
    const found = new Set([...ofClasses, ...ofRequests, ...ofMasks, ...matchesOf(/^ +'(GRAPHQL_[A-Z_]+)',$/gm)])
    expect(codesOf('GraphQL errors')).toEqual([...found].toSorted())
  })

  test('say when to retry only where a retry helps', () => {
    const isRetryable = (code: string) =>
      rowsOf('GraphQL errors').some((row) => row['code'] === `\`${code}\`` && row['retryable'] === 'yes')
    const wrong = classes.filter(({ code, saysWhen }) => saysWhen && !(code !== null && isRetryable(code)))
    expect(wrong).toEqual([])
  })

  test('that descriptions of operations name have rows; what needs the machine of a session names both reasons to fail', () => {
    // What is in parentheses says when.
    const codesIn = (description: string) => [
      ...(description.split('Errors: ')[1] ?? '').replaceAll(/\([^)]*\)/g, '').matchAll(/\b[A-Z]+(?:_[A-Z]+)+\b/g),
    ]
    const operations = Object.values(schema.getTypeMap())
      .filter(isObjectType)
      .flatMap((type) =>
        Object.values(type.getFields()).map(({ name, description }) => ({
          place: `${type.name}.${name}`,
          codes: codesIn(description ?? '').map(([code]) => code),
        })),
      )
    const known = new Set([...codesOf('GraphQL errors'), ...codesOf('Errors of actions')])
    expect(operations.filter(({ codes }) => codes.length > 0).length).toBeGreaterThan(20)
    expect(operations.flatMap(({ codes }) => codes).filter((code) => !known.has(code))).toEqual([])
    const needMachine = operations.filter(({ codes }) => codes.includes('SESSION_NOT_RUNNING'))
    expect(needMachine.length).toBeGreaterThan(5)
    expect(needMachine.filter(({ codes }) => !codes.includes('MACHINE_UNREACHABLE'))).toEqual([])
  })

  test('are named by one scheme', () => {
    const names = codesOf('GraphQL errors')
    expect(names.filter((name) => name.startsWith('STORE_'))).toEqual([])
    // Rate limits and concurrency limits have different names.
    const limits = names.filter((name) => /RATE|TOO_MANY/.test(name))
    expect(limits).toEqual(['RATE_LIMITED', 'TOO_MANY_CONNECTIONS', 'TOO_MANY_OPERATIONS'])
    expect(
      Object.values(schema.getTypeMap())
        .filter(isEnumType)
        .flatMap(({ name }) => valuesOf(name).filter((value) => value.startsWith('STORE_'))),
      // A body may be lost in the database, on the disk or in a bucket.
    ).toEqual(['STORE_FAILED'])
  })
})

test('codes of other routes are those of the table', () => {
  const written = matchesOf(/error(?:: | = )\{\s*code: '([A-Z_]+)'/g, sourcesOf('src/server/**/*.ts'))
  const ofGraphql = new Set(codesOf('GraphQL errors'))
  expect(codesOf('Errors of other HTTP routes')).toEqual(written.filter((code) => !ofGraphql.has(code)).toSorted())
})

test.each([
  ['Errors of actions', 'ActionErrorCode'],
  ['Files that were not kept', 'ArtifactFailureCode'],
])('%s have the codes of %s', (heading, name) => {
  expect(codesOf(heading)).toEqual(valuesOf(name).toSorted())
})

test('codes of issues are those of the table', () => {
  const listed = new Set(codesOf('Issues of BAD_USER_INPUT'))
  // Every code beside a message, or passed to a function that creates an issue.
  const others = new Set([
    ...codesOf('GraphQL errors'),
    ...codesOf('Errors of other HTTP routes'),
    ...codesOf('Errors of actions'),
    ...codesOf('Files that were not kept'),
  ])
  const written = matchesOf(/code(?:: | = |: \w+ \? )'([A-Z_]+)'/g)
  expect(written.filter((code) => !listed.has(code) && !others.has(code))).toEqual([])
  const quoted = new Set(matchesOf(/'([A-Z_]+)'/g))
  expect([...listed].filter((code) => !quoted.has(code))).toEqual([])
})

test('close codes are those of the table', () => {
  const named = matchesOf(/CloseCode\.(\w+)/g).map((name) => CloseCode[name as keyof typeof CloseCode])
  // Close codes that graphql-ws itself uses on the server.
  const ofProtocol = [
    CloseCode.BadRequest,
    CloseCode.Unauthorized,
    CloseCode.Forbidden,
    CloseCode.SubprotocolNotAcceptable,
    CloseCode.ConnectionInitialisationTimeout,
    CloseCode.SubscriberAlreadyExists,
    CloseCode.TooManyInitialisationRequests,
  ]
  const numbers = matchesOf(/(?:\bclosed?\(|(?:TRY_AGAIN_LATER|MESSAGE_TOO_BIG|INTERNAL_ERROR) = )(1\d{3})\b/g)
  const all = new Set([...named, ...ofProtocol, ...Object.values(CDP_CLOSE), ...numbers.map(Number)])
  expect(codesOf('Close codes of WebSockets').map(Number)).toEqual([...all].toSorted((a, b) => a - b))
})

test('every row says what it means, whether a retry helps, and what to do', () => {
  for (const [heading, rows] of sections) {
    expect([heading, rows.length > 0]).toEqual([heading, true])
    expect(rows.filter((row) => Object.values(row).includes(''))).toEqual([])
    expect(rows.filter(({ retryable }) => !['yes', 'no'].includes(retryable!))).toEqual([])
  }
})
