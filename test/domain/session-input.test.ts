import { describe, expect, test } from 'vitest'
import { BadUserInput } from '../../src/domain/kernel/errors.ts'
import { parseStartSession, parseUpdateSession } from '../../src/domain/sessions/input/session-input.ts'

function issuesOf(call: () => unknown): [string, string][] {
  try {
    call()
  } catch (error) {
    if (error instanceof BadUserInput) return error.issues.map(({ path, code }) => [path.join('.'), code])
    throw error
  }
  return []
}

const start = (input: Record<string, unknown>) => parseStartSession(input)

describe('the input of startSession', () => {
  test('nothing given: the defaults', () => {
    const defaults = {
      viewport: { width: 1920, height: 1080 },
      keepAlive: false,
      idleTimeoutSeconds: 600,
      maxDurationSeconds: 3600,
      metadata: {},
      name: null,
      initialPrompt: null,
    }
    expect(start({})).toMatchObject(defaults)
    expect(parseStartSession(null)).toEqual(start({}))
    const nulls = Object.fromEntries(Object.keys(start({})).map((member) => [member, null]))
    expect(start(nulls)).toEqual(start({}))
  })

  const bounds: [string, unknown[], unknown[]][] = [
    ['idleTimeoutSeconds', [1, 1800], [0, -1, 1801, 1.5]],
    ['maxDurationSeconds', [1, 86_400], [0, -1, 86_401]],
    ['name', ['x', 'x'.repeat(200), 'Zürich 🏔'], ['', 'x'.repeat(201), 'a\nb', 'a\0', '\ud800']],
    ['idempotencyKey', ['k', 'k'.repeat(200)], ['', 'k'.repeat(201), 'ü', 'a\n']],
    ['userAgent', ['Mozilla/5.0', 'x'.repeat(1000)], ['', 'x'.repeat(1001), 'a\r\nb']],
    ['locale', ['de', 'de-CH', 'zh-Hant-TW'], ['', 'deutsch!', 'x', '12', `en-x-${'abcdefgh-'.repeat(60_000)}x`]],
    [
      'timezone',
      ['UTC', 'Europe/Zurich', 'America/Argentina/Buenos_Aires', 'utc', 'us/pacific'],
      ['', 'Mars/Base', '+02:00', 'Zurich'],
    ],
    [
      'viewport',
      [
        { width: 50, height: 50 },
        { width: 7680, height: 7680 },
      ],
      [
        { width: 49, height: 50 },
        { width: 50, height: 7681 },
      ],
    ],
    [
      'metadata',
      [{}, { a: [1, { b: null }] }],
      [[], 'text', 5, { a: '\0' }, { a: '\ud800' }, { '\udc00': 1 }, { a: 'x'.repeat(16_384) }],
    ],
    [
      'extraHeaders',
      [{}, { 'X-A': 'b\tc' }],
      [
        { 'a b': 'x' },
        { a: 1 },
        { a: 'x\r\ny' },
        { Host: 'x' },
        { 'Set-Cookie': 'x' },
        { 'Proxy-Foo': 'x' },
        { a: '1', A: '2' },
        { 'Sec-X': '1' },
      ],
    ],
    [
      'initialPrompt',
      [
        'http://example.com',
        'https://127.0.0.1:8080/a?b#c',
        'http://[::1]/',
        'HTTP://EXAMPLE.COM',
        'example.com/path',
        'localhost:3000',
        'find the cheapest flight',
        'Über Züge: 査 🏔',
      ],
      [
        '',
        ' \n',
        'a task with \0',
        'a task with \ud800',
        '169.254.169.254/latest',
        'file:///etc/passwd',
        'chrome://version',
        'view-source:http://example.com',
        'javascript:alert(1)',
        'data:text/html,x',
        'ftp://example.com',
        'http://169.254.169.254/latest/meta-data',
        'http://2852039166/',
        'http://0xa9.0xfe.0xa9.0xfe/',
        'http://0251.0376.0251.0376/',
        'http://[::ffff:169.254.169.254]/',
        'http://[64:ff9b::a9fe:a9fe]/',
        'http://[fe80::1]/',
        'http://[::169.254.169.254]/',
        'http://168.63.129.16/',
        'http://metadata.google.internal../',
        'http://[fd00:ec2::254]/',
        'http://metadata.google.internal/',
        'http://METADATA.google.internal./',
        'http://100.100.100.200/',
        'x'.repeat(8001),
      ],
    ],
  ]

  for (const [member, good, bad] of bounds) {
    for (const value of good) {
      test(`${member} may be ${JSON.stringify(value).slice(0, 60)}`, () => {
        expect(issuesOf(() => start({ [member]: value }))).toEqual([])
      })
    }
    for (const value of bad) {
      test(`${member} may not be ${JSON.stringify(value).slice(0, 60)}`, () => {
        const issues = issuesOf(() => start({ [member]: value }))
        expect(issues).not.toEqual([])
        for (const [path] of issues) expect(path.startsWith(`input.${member}`)).toBe(true)
      })
    }
  }

  test('metadata nested deeper than any stack is told so, not a fault', () => {
    let deep: unknown = 1
    for (let level = 0; level < 100_000; level += 1) deep = [deep]
    expect(issuesOf(() => start({ metadata: { deep } }))).toEqual([['input.metadata', 'TOO_LONG']])
  })

  test('every broken rule is told at once, each with its path', () => {
    const issues = issuesOf(() =>
      start({
        name: '',
        idleTimeoutSeconds: 0,
        maxDurationSeconds: -5,
        viewport: { width: 0, height: 0 },
        timezone: 'Mars/Base',
        locale: '!',
        initialPrompt: 'file:///etc/passwd',
      }),
    )
    expect(issues.map(([path]) => path).toSorted()).toEqual([
      'input.idleTimeoutSeconds',
      'input.initialPrompt',
      'input.locale',
      'input.maxDurationSeconds',
      'input.name',
      'input.timezone',
      'input.viewport.height',
      'input.viewport.width',
    ])
  })

  test('a member that does not exist is refused', () => {
    expect(issuesOf(() => start({ id: 'mine' }))).toHaveLength(1)
  })
})

describe('the input of updateSession', () => {
  test('absent stays absent, null clears where it may', () => {
    expect(parseUpdateSession({})).toEqual({})
    expect(parseUpdateSession({ name: undefined, keepAlive: true })).toEqual({ keepAlive: true })
    expect(parseUpdateSession({ name: null, metadata: null })).toEqual({ name: null, metadata: {} })
  })

  test('null where it may not, and other broken rules, all at once', () => {
    const input = { viewport: null, keepAlive: null, idleTimeoutSeconds: 1801, maxDurationSeconds: null }
    expect(
      issuesOf(() => parseUpdateSession(input))
        .map(([path]) => path)
        .toSorted(),
    ).toEqual(['input.idleTimeoutSeconds', 'input.keepAlive', 'input.maxDurationSeconds', 'input.viewport'])
  })
})
