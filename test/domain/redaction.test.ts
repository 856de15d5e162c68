import { describe, expect, test } from 'vitest'
import { redactedEntry } from '../../src/domain/redaction/redacted-entry.ts'
import { Redaction, RedactionTooSlow } from '../../src/domain/redaction/redaction.ts'
import { NO_REDACTION, type RedactionRules } from '../../src/ports/sessions/redaction.ts'
import type { EntryDraft } from '../../src/ports/log/log-entry.ts'
import { consoleMessage, networkRequest } from '../contracts/store-samples.ts'

const redaction = (rules: Partial<RedactionRules> = {}) => new Redaction({ ...NO_REDACTION, ...rules })
const knowing = (secret: string, rules: Partial<RedactionRules> = {}) => {
  const made = redaction(rules)
  made.expectSecret(secret)
  return made
}
const bodyOf = async (by: Redaction, text: string, contentType: string | null = 'application/json') =>
  Buffer.from(await by.body(Buffer.from(text), contentType, true)).toString()

describe('headers', () => {
  const by = redaction({ headers: ['Authorization', 'X-Api-Key', 'cookie', 'set-cookie'] })

  test('are masked by name in either case, and stay useful: schemes and names of cookies', () => {
    const headers = {
      authorization: 'Bearer abc.def',
      'X-API-Key': 'k',
      cookie: 'sid=1234; theme=dark',
      'set-cookie': 'sid=1234; Path=/; HttpOnly\ntheme=dark',
      accept: '*/*',
    }
    expect(by.headers(headers)).toEqual({
      authorization: 'Bearer [redacted]',
      'X-API-Key': '[redacted]',
      cookie: 'sid=[redacted]; theme=[redacted]',
      'set-cookie': 'sid=[redacted]; Path=/; HttpOnly\ntheme=[redacted]',
      accept: '*/*',
    })
  })

  test('that have nothing to mask are the same object', () => {
    const headers = { accept: '*/*', referer: 'http://a.test/?q=1' }
    expect(by.headers(headers)).toBe(headers)
    expect(redaction().headers({ authorization: 'Basic abc' })).toEqual({ authorization: 'Basic abc' })
  })

  test('that hold a URL are masked as one', () => {
    const headers = { location: 'http://u:p@a.test/?token=abc', referer: 'http://a.test/#token=abc' }
    expect(redaction({ urlParameters: ['token'] }).headers(headers)).toEqual({
      location: 'http://[redacted]@a.test/?token=[redacted]',
      referer: 'http://a.test/#token=[redacted]',
    })
  })
})

describe('URLs', () => {
  const by = redaction({ urlParameters: ['Token', 'näme'] })

  test.each([
    ['http://a.test/?token=abc&q=1', 'http://a.test/?token=[redacted]&q=1'],
    ['http://a.test/?q=1&TOKEN=a%20b', 'http://a.test/?q=1&TOKEN=[redacted]'],
    ['http://a.test/?t%6Fken=abc', 'http://a.test/?t%6Fken=[redacted]'],
    ['http://a.test/?n%C3%A4me=abc', 'http://a.test/?n%C3%A4me=[redacted]'],
    ['http://a.test/p#token=abc', 'http://a.test/p#token=[redacted]'],
    [
      'http://a.test/p?token=a#/r?token=b&x=y#token=c',
      'http://a.test/p?token=[redacted]#/r?token=[redacted]&x=y#token=[redacted]',
    ],
    ['http://a.test/?tokens=abc&token', 'http://a.test/?tokens=abc&token'],
    ['http://user:pass@a.test/x@y?a=b@c', 'http://[redacted]@a.test/x@y?a=b@c'],
    ['wss://ghp_1@a.test/', 'wss://[redacted]@a.test/'],
    ['http://a.test/?%E0%A4%A=1&token=x', 'http://a.test/?%E0%A4%A=1&token=[redacted]'],
    ['http://a.test/?next=http://u:p@b.test/', 'http://a.test/?next=http://[redacted]@b.test/'],
    ['about:blank', 'about:blank'],
    ['', ''],
  ])('%s', (url, masked) => expect(by.url(url)).toBe(masked))
})

describe('JSON bodies', () => {
  const by = redaction({ jsonKeys: ['Password', 'näme', 'a"b'] })

  test.each([
    ['{"user":"ann","password":"x y","n":1}', '{"user":"ann","password":"[redacted]","n":1}'],
    ['{ "password" : 12.5e3 , "b" : "password" }', '{ "password" : "[redacted]" , "b" : "password" }'],
    ['{"PASSWORD":null,"password":true}', '{"PASSWORD":"[redacted]","password":"[redacted]"}'],
    ['{"password":{"a":["}",{"b":"]\\""}]},"c":1}', '{"password":"[redacted]","c":1}'],
    ['[[{"password":["a","b"]}]]', '[[{"password":"[redacted]"}]]'],
    ['{"p\\u0061ssword":"x"}', '{"p\\u0061ssword":"[redacted]"}'],
    ['{"a\\"b":"x","n\\u00e4me":"y"}', '{"a\\"b":"[redacted]","n\\u00e4me":"[redacted]"}'],
    ['{"password":"a\\\\","x":"b"}', '{"password":"[redacted]","x":"b"}'],
    ['{"text":"\\"password\\":\\"x\\""}', '{"text":"\\"password\\":\\"x\\""}'],
    // Cut where the body was.
    ['{"a":1,"password":"abc', '{"a":1,"password":"[redacted]"'],
    ['{"a":1,"password":{"b":[1,2', '{"a":1,"password":"[redacted]"'],
    ['{"a":1,"password":', '{"a":1,"password":'],
    ['{"a":1,"passw', '{"a":1,"passw'],
    // JSON lines, and prefixes that some servers add.
    ['{"password":1}\n{"password":2}\n', '{"password":"[redacted]"}\n{"password":"[redacted]"}\n'],
    [')]}\',\n{"password":"x"}', ')]}\',\n{"password":"[redacted]"}'],
    ['{"big":12345678901234567890,"password":"x"}', '{"big":12345678901234567890,"password":"[redacted]"}'],
  ])('%s', async (text, masked) => expect(await bodyOf(by, text)).toBe(masked))

  test('are known by what they are where the server says something else, and programs are left alone', async () => {
    expect(await bodyOf(by, '{"password":"x"}', null)).toBe('{"password":"[redacted]"}')
    expect(await bodyOf(by, '[{"password":"x"}]', 'text/html')).toBe('[{"password":"[redacted]"}]')
    expect(await bodyOf(by, 'data: {"password":"x"}\n\n', 'text/event-stream')).toBe(
      'data: {"password":"[redacted]"}\n\n',
    )
    expect(await bodyOf(by, 'const a = {"password": field}', 'text/javascript')).toBe('const a = {"password": field}')
  })

  test('that nobody ends take no longer than they are long', async () => {
    for (const text of [
      '"'.repeat(300_000),
      '\\"'.repeat(300_000),
      '{"password":'.repeat(50_000),
      '['.repeat(300_000),
    ]) {
      expect((await bodyOf(by, text)).length).toBeGreaterThan(0)
    }
  })
})

describe('forms', () => {
  const by = redaction({ urlParameters: ['token', 'näme'] })

  test('in the encoding of URLs', async () => {
    const type = 'application/x-www-form-urlencoded;charset=UTF-8'
    expect(await bodyOf(by, 'a=1&token=x+y&n%C3%A4me=z&b=token%3Dx', type)).toBe(
      'a=1&token=[redacted]&n%C3%A4me=[redacted]&b=token%3Dx',
    )
  })

  test('of several parts, with files as they are', async () => {
    const part = (head: string, content: Buffer) =>
      Buffer.concat([
        Buffer.from(`--B--x\r\nContent-Disposition: form-data; ${head}\r\n\r\n`),
        content,
        Buffer.from('\r\n'),
      ])
    const file = Buffer.from([0, 255, 13, 10, 13, 10, 128])
    const ofForm = (token: string) =>
      Buffer.concat([
        part('name="a"', Buffer.from('1')),
        part('name="token"', Buffer.from(token)),
        part('name="f"; filename="x.bin"\r\nContent-Type: application/octet-stream', file),
        Buffer.from('--B--x--\r\n'),
      ])
    for (const type of ['multipart/form-data; boundary=B--x', 'Multipart/form-data; charset=x; boundary="B--x"']) {
      const masked = await by.body(ofForm('line one\r\n\r\nline two'), type, false)
      expect(Buffer.from(masked)).toEqual(ofForm('[redacted]'))
    }
  })
})

describe('what was typed', () => {
  const SECRET = 'pä"s\\w/ö r&d<>\'+%😀\n1'
  const doubly = JSON.stringify(JSON.stringify({ a: SECRET }))

  test.each([
    ['as it is', SECRET],
    ['as JSON', JSON.stringify({ a: SECRET })],
    ['as JSON in JSON', doubly],
    [
      'as JSON with escapes for all that is not ASCII',
      JSON.stringify(SECRET).replace(
        /[^ -~]/g,
        (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0').toUpperCase()}`,
      ),
    ],
    [
      'as JSON that is safe in HTML',
      JSON.stringify(SECRET)
        .replace(/[<>&']/g, (unit) => `\\u00${unit.charCodeAt(0).toString(16)}`)
        .replaceAll('/', '\\/'),
    ],
    ['in a query', new URLSearchParams({ a: SECRET }).toString()],
    ['in a path', encodeURIComponent(SECRET)],
    ['in a query of a query', encodeURIComponent(encodeURIComponent(SECRET))],
    ['as JSON in a form', new URLSearchParams({ a: JSON.stringify({ b: SECRET }) }).toString()],
    ['in small letters', encodeURIComponent(SECRET).toLowerCase()],
    [
      'in a form with line breaks of two characters',
      new URLSearchParams({ a: SECRET.replace('\n', '\r\n') }).toString(),
    ],
    [
      'in HTML',
      SECRET.replace(
        /[&<>"']/g,
        (unit) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' })[unit]!,
      ),
    ],
    [
      'in HTML with numbers',
      SECRET.replace(/[^a-z]/gu, (unit) => `&#x${unit.codePointAt(0)!.toString(16).toUpperCase()};`),
    ],
    ['in HTML with other numbers', SECRET.replace(/[&<>"']/g, (unit) => `&#0${unit.charCodeAt(0)};`)],
    [
      'in a form of a page that names no encoding',
      Array.from(SECRET)
        .map((one) => {
          const code = one.codePointAt(0)!
          if (code > 255) return encodeURIComponent(`&#${code};`)
          return code > 127 ? `%${code.toString(16).toUpperCase()}` : encodeURIComponent(one)
        })
        .join(''),
    ],
    [
      'in a script',
      `'${SECRET.replace(/[^a-z\\\n]/g, (unit) =>
        unit.charCodeAt(0) < 256 ? `\\x${unit.charCodeAt(0).toString(16).padStart(2, '0')}` : unit,
      )
        .replaceAll('\\\\', '\\\\\\\\')
        .replace('\n', '\\n')
        .replace('s\\w', 's\\\\w')}'`,
    ],
  ])('is masked %s', async (_, text) => {
    const by = knowing(SECRET)
    const around = `before ${text} after`
    for (const masked of [by.text(around), await bodyOf(by, around, 'text/plain')]) {
      expect(masked).toContain('[redacted]')
      expect(masked).toMatch(/^before /)
      expect(masked).toMatch(/ after$/)
      expect(masked).not.toMatch(/s\\*w|%5[cC]w|r&d|😀/)
    }
  })

  test('is masked in bytes that are no text, among others', async () => {
    const by = knowing(SECRET)
    const noise = Buffer.from([255, 254, 0, 128])
    const masked = await by.body(Buffer.concat([noise, Buffer.from(SECRET), noise]), 'application/grpc', false)
    expect(Buffer.from(masked)).toEqual(Buffer.concat([noise, Buffer.from('[redacted]'), noise]))
  })

  test('is masked wherever it is in a long body', async () => {
    const by = knowing('correct horse')
    for (const before of [0, 65_530, 65_535, 65_536, 65_541, 131_070, 300_000]) {
      const masked = await bodyOf(by, `${'x'.repeat(before)}correct+horse${'y'.repeat(100_000)}`, 'text/plain')
      expect(masked).toBe(`${'x'.repeat(before)}[redacted]${'y'.repeat(100_000)}`)
    }
  })

  test('is masked from six characters on; shorter text is anywhere', () => {
    expect(knowing('12345').text('12345')).toBe('12345')
    expect(knowing('😀😀😀😀😀').text('😀😀😀😀😀')).toBe('😀😀😀😀😀')
    expect(knowing('123456').text('a123456b')).toBe('a[redacted]b')
  })

  test('is masked as a whole where it is long, and where one secret begins another', () => {
    const long = 'abcdefghij'.repeat(1_000) + 'end'
    expect(knowing(long).text(`<${long}>`)).toMatch(/^<(\[redacted\])+>$/)
    const by = knowing('secret')
    by.expectSecret('secretive')
    expect(by.text('secretive secret')).toBe('[redacted] [redacted]')
  })

  test('is left alone again once it is taken back, as often as it was typed', () => {
    const by = redaction()
    const [first, second] = [by.expectSecret('not secret'), by.expectSecret('not secret')]
    first()
    first()
    expect(by.text('not secret')).toBe('[redacted]')
    second()
    expect(by.text('not secret')).toBe('not secret')
  })

  test('is masked in a URL from then on, also where that was looked at before, until it is taken back', () => {
    const by = redaction()
    const url = 'http://a.test/find/geheimnis'
    expect(by.url(url)).toBe(url)
    const takeBack = by.expectSecret('geheimnis')
    expect([by.url(url), by.url(url)]).toEqual(Array(2).fill('http://a.test/find/[redacted]'))
    takeBack()
    expect(by.url(url)).toBe(url)
  })

  test('is forgotten, the oldest first, where it is endless', () => {
    const by = redaction()
    for (let index = 0; index < 3_000; index += 1) by.expectSecret(`secret number ${index}`)
    expect(by.text('secret number 0.')).toBe('secret number 0.')
    expect(by.text('secret number 2999.')).toBe('[redacted].')
  })

  test('costs no more than the text is long, whatever it is', async () => {
    const by = knowing('a'.repeat(256))
    await bodyOf(by, 'a'.repeat(255).concat('b').repeat(1_000), 'text/plain')
    const odd = knowing('😀"\\\n'.repeat(60))
    expect(await bodyOf(odd, JSON.stringify('😀"\\\n'.repeat(60)), 'text/plain')).toContain('[redacted]')
  })
})

describe('patterns', () => {
  test('are looked for in texts, URLs, headers and bodies, and not in bytes', async () => {
    const by = redaction({ patterns: ['sk-[a-z0-9]{8,}', '(?i)card \\d+'] })
    expect(by.text('a sk-abcdefgh1 b Card 42')).toBe('a [redacted] b [redacted]')
    expect(by.url('http://a.test/sk-abcdefgh1/x')).toBe('http://a.test/[redacted]/x')
    expect(by.headers({ 'x-key': 'sk-abcdefgh1' })).toEqual({ 'x-key': '[redacted]' })
    expect(await bodyOf(by, '{"k":"sk-abcdefgh1"}')).toBe('{"k":"[redacted]"}')
    const image = Buffer.from([255, ...Buffer.from('sk-abcdefgh1')])
    expect(await by.body(image, 'image/png', false)).toBe(image)
  })

  test('match words that begin or end where a long body is cut into pieces', async () => {
    const by = redaction({ patterns: ['\\bkey\\b'] })
    const text = 'xkey key keyx '.repeat(20_000)
    expect(await bodyOf(by, text, 'text/plain')).toBe('xkey [redacted] keyx '.repeat(20_000))
  })

  test('that would take a backtracking engine for ever take no time', async () => {
    const by = redaction({ patterns: ['(a+)+$', '(a|aa)+b', '(.*)*x'] })
    expect(await bodyOf(by, 'a'.repeat(200_000), 'text/plain')).toContain('[redacted]')
    expect(by.text('b'.repeat(30_000))).toBe('b'.repeat(30_000))
  })

  test('that match nothing, or what is masked already, change nothing', async () => {
    const by = redaction({ jsonKeys: ['a'], patterns: ['x*', '\\[redacted\\]'] })
    expect(await bodyOf(by, '{"a":"b"}')).toBe('{"a":"[redacted]"}')
    expect(by.text('b')).toBe('b')
  })
})

test('a body in which there is nothing to mask is the same, byte for byte', async () => {
  const by = knowing('not in there', { jsonKeys: ['k'], urlParameters: ['k'], headers: ['k'], patterns: ['never'] })
  for (const type of [
    'application/json',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=b',
    null,
  ]) {
    const bytes = Buffer.from('{"a":1}\u0000 --b\r\n\r\n &=& 😀 http://a.test/ a@b')
    expect(await by.body(bytes, type, true)).toBe(bytes)
  }
})

test('a body that takes too much time is given up', async () => {
  const by = redaction({
    patterns: Array.from({ length: 10 }, (_, index) => `(?:[a-z${index}]*[0-9 ]*){1,30}[!${index}]`),
  })
  const endless = () => bodyOf(by, 'ab1 '.repeat(2_000_000), 'text/plain')
  await expect(endless()).rejects.toThrow(RedactionTooSlow)
})

describe('entries', () => {
  test('of requests, navigations and lines are masked', () => {
    const by = knowing('hunter2-hunter2', { headers: ['x-key'], urlParameters: ['token'] })
    const url = 'http://u:p@a.test/?token=abc&p=hunter2-hunter2'
    const masked = 'http://[redacted]@a.test/?token=[redacted]&p=[redacted]'
    const request = networkRequest(1, {
      url,
      redirectedFrom: url,
      requestHeaders: { referer: url, 'x-key': 'a' },
      responseHeaders: { location: url },
    })
    expect(redactedEntry(request, by).data).toEqual({
      ...request.data,
      url: masked,
      redirectedFrom: masked,
      requestHeaders: { referer: masked, 'x-key': '[redacted]' },
      responseHeaders: { location: masked },
    })
    const navigation: EntryDraft = { kind: 'NAVIGATION', at: 1, data: { pageId: 'p1', url, sameDocument: false } }
    expect(redactedEntry(navigation, by).data).toEqual({ ...navigation.data, url: masked })
    expect(redactedEntry(consoleMessage('it is hunter2-hunter2'), by)).toMatchObject({
      data: { text: 'it is [redacted]' },
    })
  })

  test('of requests are masked in all that is told of them', () => {
    const by = new Redaction({
      ...NO_REDACTION,
      headers: ['cookie'],
      urlParameters: ['token'],
      patterns: ['sk-[a-z]+'],
    })
    const cookie = { name: 'id', domain: null, path: null, expiresAt: null, httpOnly: false, secure: false } as const
    const others = { sameSite: null, blockedReasons: [], exemptionReason: null }
    const request = networkRequest(1, {
      frame: { frameId: 'f', url: 'http://site/?token=1' },
      initiator: {
        type: 'SCRIPT',
        url: 'http://site/?token=1',
        line: 1,
        column: 1,
        stack: 'at sk-abc',
        requestId: null,
      },
      cookiesSent: [{ ...cookie, ...others, value: '1' }],
      cookiesSet: [{ ...cookie, ...others, value: 'sk-abc' }],
    })
    expect(redactedEntry(request, by).data).toMatchObject({
      frame: { url: 'http://site/?token=[redacted]' },
      initiator: { url: 'http://site/?token=[redacted]', stack: 'at [redacted]' },
      cookiesSent: [{ name: 'id', value: '[redacted]' }],
      cookiesSet: [{ name: 'id', value: '[redacted]' }],
    })
  })

  test('are the same object where nothing is masked', () => {
    const by = redaction({ headers: ['x'], urlParameters: ['x'], jsonKeys: ['x'] })
    for (const draft of [networkRequest(1), consoleMessage('a line')]) expect(redactedEntry(draft, by)).toBe(draft)
  })
})
