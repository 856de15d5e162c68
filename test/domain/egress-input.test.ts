import { describe, expect, test } from 'vitest'
import { policyOf, shownEgress, type ServerEgress } from '../../src/domain/sessions/input/egress-input.ts'
import { BadUserInput } from '../../src/domain/kernel/errors.ts'
import { hashOfOptions } from '../../src/domain/sessions/input/idempotency.ts'
import { refusePageAddress } from '../../src/domain/kernel/navigation-policy.ts'
import { parseStartSession, type StartSessionInput } from '../../src/domain/sessions/input/session-input.ts'
import type { EgressMode, EgressPolicy } from '../../src/ports/egress/egress.ts'
import { describeUpstream, upstreamParts } from '../../src/egress/upstream-proxy.ts'

const server = (mode: EgressMode, ...allow: string[]): ServerEgress => ({ mode, allow })

/** The broken rules, as "path CODE". */
function issuesOf(input: object, of: ServerEgress = server('OPEN')): string[] {
  try {
    parseStartSession(input, of)
    return []
  } catch (error) {
    if (error instanceof BadUserInput) {
      return error.issues.map(({ path, code }) => `${path.slice(1).join('.')} ${code}`).sort()
    }
    throw error
  }
}

describe('a session can only narrow what its server allows', () => {
  const modes = ['OPEN', 'PUBLIC', 'NONE'] as const
  test.each(modes.flatMap((of, widest) => modes.map((asked, index) => [of, asked, index >= widest] as const)))(
    'on a server of %s, %s: %s',
    (of, asked, isAllowed) => {
      expect(issuesOf({ egress: asked }, server(of))).toEqual(isAllowed ? [] : ['egress FORBIDDEN_VALUE'])
      if (!isAllowed) return
      expect(policyOf(parseStartSession({ egress: asked }, server(of, 'a.test')), server(of, 'a.test'))).toEqual({
        mode: asked,
        allow: ['a.test'],
        allowedHosts: null,
        upstream: null,
      })
    },
  )

  test('nothing asked: as the server is', () => {
    expect(policyOf(parseStartSession({}, server('PUBLIC')), server('PUBLIC')).mode).toBe('PUBLIC')
  })

  test('every problem at once, none of them with a password', () => {
    const input = {
      egress: 'OPEN',
      allowedHosts: ['fine.test', 'https://no-url.test/', '*.10.0.0.1'],
      proxy: { server: 'ftp://proxy.test/secret-word', username: 'me\n', password: 'secret-word\n' },
      initialPrompt: 'http://10.1.2.3/',
      name: '',
    }
    expect(issuesOf(input, server('NONE'))).toEqual([
      'allowedHosts.1 INVALID_FORMAT',
      'allowedHosts.2 INVALID_FORMAT',
      'egress FORBIDDEN_VALUE',
      'initialPrompt FORBIDDEN_VALUE',
      'name TOO_SHORT',
      'proxy.password INVALID_FORMAT',
      'proxy.server INVALID_FORMAT',
      'proxy.username INVALID_FORMAT',
    ])
    try {
      parseStartSession(input as StartSessionInput, server('NONE'))
    } catch (error) {
      expect(JSON.stringify([error, (error as Error).message])).not.toContain('secret-word')
    }
  })
})

describe('allowedHosts', () => {
  test('are brought to their normal form', () => {
    const hosts = ['Example.COM.', '*.Shop.test:443', '0x7f.1', '10.1.2.3/8', '[::1]:80', 'bücher.test']
    expect(parseStartSession({ allowedHosts: hosts }).allowedHosts).toEqual([
      'example.com',
      '*.shop.test:443',
      '127.0.0.1',
      '10.0.0.0/8',
      '[::1]:80',
      'xn--bcher-kva.test',
    ])
    expect(parseStartSession({ allowedHosts: [] }).allowedHosts).toEqual([])
  })

  test('are bounded', () => {
    const many = (count: number) => ({ allowedHosts: Array.from({ length: count }, (_, index) => `h${index}.test`) })
    expect(issuesOf(many(100))).toEqual([])
    expect(issuesOf(many(101))).toEqual(['allowedHosts TOO_LONG'])
  })
})

describe('a proxy', () => {
  test.each([
    [{ server: 'http://proxy.test:3128' }, 'http://proxy.test:3128', '', ''],
    [{ server: 'HTTPS://Proxy.test/' }, 'https://proxy.test:443', '', ''],
    [{ server: 'http://proxy.test' }, 'http://proxy.test:80', '', ''],
    [{ server: 'socks5://192.0.2.1:80' }, 'socks5://192.0.2.1:80', '', ''],
    [{ server: 'socks5://[2001:db8::1]' }, 'socks5://[2001:db8::1]:1080', '', ''],
    [{ server: 'http://me:p%40ss@proxy.test:1' }, 'http://proxy.test:1', 'me', 'p@ss'],
    [{ server: 'socks5://proxy.test:1', username: 'm:e', password: 'p@/ß' }, 'socks5://proxy.test:1', 'm:e', 'p@/ß'],
    [{ server: 'http://proxy.test:1', username: 'me' }, 'http://proxy.test:1', 'me', ''],
  ])('%j', (proxy, shown, username, password) => {
    const { proxy: upstream } = parseStartSession({ proxy })
    expect(describeUpstream(upstream!)).toBe(shown)
    expect(upstreamParts(upstream!)).toMatchObject({ username, password })
  })

  test.each([
    [{ server: 'proxy.test:3128' }, 'proxy.server INVALID_FORMAT'],
    [{ server: 'socks4://proxy.test:3128' }, 'proxy.server INVALID_FORMAT'],
    [{ server: 'http://proxy.test:3128/path' }, 'proxy.server INVALID_FORMAT'],
    [{ server: 'http://proxy.test:0' }, 'proxy.server INVALID_FORMAT'],
    [{ server: 'http://proxy.test:99999' }, 'proxy.server INVALID_FORMAT'],
    [{ server: `http://${'p'.repeat(300)}.test:1` }, 'proxy.server INVALID_FORMAT'],
    [{ server: 'http://proxy.test:1', password: 'p' }, 'proxy.username REQUIRED'],
    [{ server: 'http://proxy.test:1', username: '' }, 'proxy.username INVALID_FORMAT'],
    [{ server: 'http://proxy.test:1', username: 'u'.repeat(256) }, 'proxy.username TOO_LONG'],
    [{ server: 'http://a:b@proxy.test:1', username: 'c' }, 'proxy.username CONFLICT'],
    // No client may have a page use a proxy in the cloud's metadata network, or one that the server must not reach.
    [{ server: 'http://169.254.169.254:80' }, 'proxy.server FORBIDDEN_VALUE'],
  ])('%j is refused: %s', (proxy, issue) => {
    expect(issuesOf({ proxy })).toEqual([issue])
  })

  test('at a private address needs the leave of the server', () => {
    const proxy = { server: 'socks5://10.0.0.9:1080' }
    expect(issuesOf({ proxy }, server('OPEN'))).toEqual([])
    expect(issuesOf({ proxy }, server('PUBLIC'))).toEqual(['proxy.server FORBIDDEN_VALUE'])
    expect(issuesOf({ proxy }, server('PUBLIC', '10.0.0.0/8:1080'))).toEqual([])
    // Restrictions of pages do not apply to the proxy itself.
    expect(issuesOf({ proxy, allowedHosts: ['a.test'] }, server('OPEN'))).toEqual([])
  })

  test('is shown without its credentials, which no stored hash depends on', () => {
    const options = (password: string) =>
      parseStartSession({ proxy: { server: 'http://proxy.test:1', username: 'user-name', password } })
    const shown = shownEgress(policyOf(options('secret-word'), server('OPEN')))
    expect(shown).toEqual({ mode: 'OPEN', allowedHosts: null, proxy: 'http://proxy.test:1' })
    expect(hashOfOptions(options('one'))).toBe(hashOfOptions(options('other')))
    expect(hashOfOptions(options('one'))).not.toBe(hashOfOptions(parseStartSession({})))
  })
})

describe('an address of a page', () => {
  const policy = (members: Partial<EgressPolicy>): EgressPolicy => ({
    mode: 'OPEN',
    allow: [],
    allowedHosts: null,
    upstream: null,
    ...members,
  })
  const PRIVATE = [
    'http://10.0.0.1/',
    'http://127.0.0.1:8080/',
    'http://0x7f.1/',
    'http://[::ffff:10.0.0.1]/',
    'http://[fd00::1]/',
  ]
  const NEVER = [
    'http://169.254.169.254/',
    'http://[fe80::1]/',
    'http://metadata.google.internal../',
    'http://2852039166/',
  ]

  test('private ones are for OPEN, and where they are allowed', () => {
    for (const url of PRIVATE) {
      expect(refusePageAddress(url, policy({}))).toBeNull()
      expect(refusePageAddress(url, policy({ mode: 'PUBLIC' }))).toMatch(
        /address \(egress is PUBLIC: TABWIRE_EGRESS and/,
      )
    }
    const allow = ['10.0.0.0/8', '127.0.0.1:8080', '[fd00::]/8'].map((rule) => rule.replace(/[[\]]/g, ''))
    expect(refusePageAddress('http://10.0.0.1/', policy({ mode: 'PUBLIC', allow }))).toBeNull()
    expect(refusePageAddress('http://127.0.0.1:8080/', policy({ mode: 'NONE', allow }))).toBeNull()
    expect(refusePageAddress('http://127.0.0.1:8081/', policy({ mode: 'PUBLIC', allow }))).not.toBeNull()
  })

  test('none but allowed ones with NONE; names are judged when they are connected to', () => {
    expect(refusePageAddress('https://93.184.215.14/', policy({ mode: 'NONE' }))).toMatch(/TABWIRE_EGRESS_ALLOW/)
    expect(refusePageAddress('https://example.com/', policy({ mode: 'NONE' }))).toBeNull()
  })

  test('allowedHosts narrow, and give no leave', () => {
    const narrowed = policy({ mode: 'PUBLIC', allowedHosts: ['10.0.0.1', '93.184.215.14'] })
    expect(refusePageAddress('https://93.184.215.14/', narrowed)).toBeNull()
    expect(refusePageAddress('https://93.184.215.15/', narrowed)).toMatch(/allowedHosts/)
    expect(refusePageAddress('http://10.0.0.1/', narrowed)).toMatch(/private address/)
  })

  test('some in no mode, whatever is allowed', () => {
    for (const url of NEVER) {
      const allow = ['169.254.0.0/16', 'fe80::/10', 'metadata.google.internal']
      for (const mode of ['OPEN', 'PUBLIC', 'NONE'] as const) {
        expect(`${url} ${refusePageAddress(url, policy({ mode, allow }))}`).toMatch(/never opened/)
      }
    }
  })
})
