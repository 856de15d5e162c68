import { describe, expect, test } from 'vitest'
import { BadUserInput } from '../../src/domain/kernel/errors.ts'
import { httpCredentialsOf } from '../../src/domain/sessions/input/emulation-input.ts'
import { hashOfOptions } from '../../src/domain/sessions/input/idempotency.ts'
import { parseStartSession, parseUpdateSession } from '../../src/domain/sessions/input/session-input.ts'

const parse = (input: object) => parseStartSession(input)

function refusalOf(call: () => unknown): BadUserInput {
  try {
    call()
  } catch (error) {
    if (error instanceof BadUserInput) return error
    throw error
  }
  throw new Error('nothing was refused')
}

const issuesOf = (input: object) =>
  refusalOf(() => parse(input)).issues.map(({ path, code }) => [path.slice(1).join('.'), code])

const somewhere = { latitude: 47.4, longitude: 8.5 }
const credentials = { username: 'me', password: 'secret-word', origin: 'https://example.com' }
const lone = String.fromCharCode(0xd800)

const good: [string, object][] = [
  ['a position', { geolocation: { ...somewhere, accuracy: 0.5 } }],
  ['the corners of the globe', { geolocation: { latitude: -90, longitude: 180, accuracy: 1_000_000 } }],
  ['no permission at all', { permissions: [] }],
  ['permissions', { permissions: ['GEOLOCATION', 'CLIPBOARD_READ'] }],
  ['the least scale', { deviceScaleFactor: 0.1 }],
  ['the largest scale, of a small viewport', { deviceScaleFactor: 10, viewport: { width: 400, height: 800 } }],
  ['a phone', { isMobile: true, hasTouch: true, viewport: { width: 390, height: 844 }, deviceScaleFactor: 3 }],
  ['credentials', { httpCredentials: credentials }],
  ['an empty password', { httpCredentials: { ...credentials, password: '' } }],
  [
    'credentials for the page that is opened',
    { httpCredentials: { ...credentials, origin: null }, initialPrompt: 'example.com/a' },
  ],
]

const bad: [string, object, [string, string][]][] = [
  ['north of the pole', { geolocation: { latitude: 90.1, longitude: 0 } }, [['geolocation.latitude', 'OUT_OF_RANGE']]],
  [
    'beyond the date line',
    { geolocation: { latitude: 0, longitude: -181 } },
    [['geolocation.longitude', 'OUT_OF_RANGE']],
  ],
  ['less than exact', { geolocation: { ...somewhere, accuracy: -1 } }, [['geolocation.accuracy', 'OUT_OF_RANGE']]],
  ['a permission twice', { permissions: ['MIDI', 'MIDI'] }, [['permissions', 'CONFLICT']]],
  ['no scale', { deviceScaleFactor: 0 }, [['deviceScaleFactor', 'OUT_OF_RANGE']]],
  ['too large a scale', { deviceScaleFactor: 10.5 }, [['deviceScaleFactor', 'OUT_OF_RANGE']]],
  [
    'a scale that makes pictures too large',
    { deviceScaleFactor: 4, viewport: { width: 7680, height: 7680 } },
    [['deviceScaleFactor', 'OUT_OF_RANGE']],
  ],
  ['a phone of no size', { isMobile: true }, [['viewport', 'REQUIRED']]],
  [
    'credentials for nobody',
    { httpCredentials: { ...credentials, origin: null }, initialPrompt: 'buy milk' },
    [['httpCredentials.origin', 'REQUIRED']],
  ],
  ...[
    'example.com',
    'ftp://example.com',
    'https://example.com/path',
    'https://a:b@example.com',
    'https://example.com?',
    'https://',
  ].map((origin): [string, object, [string, string][]] => [
    `the origin ${origin}`,
    { httpCredentials: { ...credentials, origin } },
    [['httpCredentials.origin', 'INVALID_FORMAT']],
  ]),
  ['no user', { httpCredentials: { ...credentials, username: '' } }, [['httpCredentials.username', 'TOO_SHORT']]],
  [
    'a user with a colon, and a password with a line break',
    { httpCredentials: { ...credentials, username: 'a:b', password: 'secret-word\n' } },
    [
      ['httpCredentials.password', 'INVALID_FORMAT'],
      ['httpCredentials.username', 'INVALID_FORMAT'],
    ],
  ],
  [
    'a password that is no text',
    { httpCredentials: { ...credentials, password: `secret-word${lone}` } },
    [['httpCredentials.password', 'INVALID_FORMAT']],
  ],
  [
    'a password that is too long',
    { httpCredentials: { ...credentials, password: 'secret-word'.repeat(100) } },
    [['httpCredentials.password', 'TOO_LONG']],
  ],
  [
    'much of it at once',
    {
      geolocation: { latitude: 91, longitude: 181 },
      deviceScaleFactor: 11,
      isMobile: true,
      permissions: ['MIDI', 'MIDI'],
    },
    [
      ['deviceScaleFactor', 'OUT_OF_RANGE'],
      ['geolocation.latitude', 'OUT_OF_RANGE'],
      ['geolocation.longitude', 'OUT_OF_RANGE'],
      ['permissions', 'CONFLICT'],
      ['viewport', 'REQUIRED'],
    ],
  ],
]

describe('a session can have', () => {
  test.each(good)('%s', (_, input) => {
    expect(parse(input)).toMatchObject(input)
  })
})

describe('a session cannot have', () => {
  test.each(bad)('%s', (_, input, issues) => {
    expect(issuesOf(input).toSorted()).toEqual(issues)
    expect(JSON.stringify(refusalOf(() => parse(input)))).not.toContain('secret-word')
  })
})

describe('updateSession refuses a viewport', () => {
  const viewport = { width: 4000, height: 4000 }

  test('that with the scale of the session makes pictures too large', () => {
    const { issues } = refusalOf(() => parseUpdateSession({ viewport }, 6))
    expect(issues).toMatchObject([{ path: ['input', 'viewport'], code: 'OUT_OF_RANGE' }])
    expect(parseUpdateSession({ viewport }, 5)).toEqual({ viewport })
  })

  test('that is none', () => {
    const text = { viewport: { width: 'a', height: 1 } } as unknown as { viewport: typeof viewport }
    expect(
      refusalOf(() => parseUpdateSession(text))
        .issues.map(({ path }) => path.join('.'))
        .toSorted(),
    ).toEqual(['input.viewport.height', 'input.viewport.width'])
  })
})

describe('credentials', () => {
  test.each([
    ['example.com/path', 'https://example.com'],
    ['http://LOCALHOST:80/', 'http://localhost'],
    ['https://example.com:8443/', 'https://example.com:8443'],
  ])('are for the origin of %s alone', (initialPrompt, origin) => {
    const options = parse({ httpCredentials: { ...credentials, origin: null }, initialPrompt })
    expect(httpCredentialsOf(options)).toEqual({ username: 'me', password: 'secret-word', origin })
  })

  test('are for another origin where one is given, in normal form', () => {
    const options = parse({
      httpCredentials: { ...credentials, origin: 'HTTPS://Example.COM:443' },
      initialPrompt: 'other.example',
    })
    expect(httpCredentialsOf(options)?.origin).toBe('https://example.com')
    expect(httpCredentialsOf(parse({}))).toBeNull()
  })

  test('are no part of what tells a repeated start, the origin is', () => {
    const hashWith = (more: object) => hashOfOptions(parse({ httpCredentials: { ...credentials, ...more } }))
    expect(hashWith({ username: 'you', password: 'another' })).toBe(hashWith({}))
    expect(hashWith({ origin: 'https://example.org' })).not.toBe(hashWith({}))
    expect(hashOfOptions(parse({}))).not.toBe(hashWith({}))
  })
})

describe('a repeated start', () => {
  test('is told as before by those who know none of these options', () => {
    // From a version without them.
    expect(hashOfOptions(parse({ name: 'x' }))).toBe('a59f17503101319003b5b0ca7639225786d94e9724eb56f391bda508b50708e7')
  })

  test('is the same where defaults are given', () => {
    const defaults = { deviceScaleFactor: 1, isMobile: false, offline: false, permissions: null, geolocation: null }
    expect(hashOfOptions(parse(defaults))).toBe(hashOfOptions(parse({})))
  })

  test.each([{ offline: true }, { colorScheme: 'DARK' }, { permissions: [] }, { deviceScaleFactor: 2 }])(
    'is another with %j',
    (input) => {
      expect(hashOfOptions(parse(input))).not.toBe(hashOfOptions(parse({})))
    },
  )
})
