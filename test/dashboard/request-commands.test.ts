import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { curlOf, fetchOf, type CopiedBody, type CopiedRequest } from '../../dashboard/src/network/request-commands.ts'

const request = (more: Partial<CopiedRequest> = {}): CopiedRequest => ({
  method: 'GET',
  url: 'http://site.test/',
  requestHeaders: {},
  ...more,
})
const text = (content: string): CopiedBody => ({ text: content, note: null })

const SHELLS = ['/bin/sh', '/bin/bash', '/bin/dash'].filter((shell) => existsSync(shell))

/** Arguments that a shell passes to curl. */
function argumentsIn(shell: string, command: string): string[] {
  const output = execFileSync(shell, ['-c', `curl() { printf '%s\\0' "$@"; }\n${command}`], { encoding: 'utf8' })
  return output.split('\0').slice(0, -1)
}

describe.each(SHELLS)('in %s, a command for curl', (shell) => {
  const given = (of: CopiedRequest, body: CopiedBody | null = null) => argumentsIn(shell, curlOf(of, body))

  test('has the method, the headers and the body of the request', () => {
    const headers = {
      accept: '*/*',
      'x-empty': '',
      cookie: 'a=1',
      host: 'site.test',
      ':path': '/',
      'content-length': '2',
    }
    expect(given(request({ requestHeaders: headers }))).toEqual([
      'http://site.test/',
      '-H',
      'accept: */*',
      '-H',
      'x-empty;',
      '-H',
      'cookie: a=1',
      '--compressed',
    ])
    const json = { 'Content-Type': 'application/json' }
    expect(given(request({ method: 'POST', requestHeaders: json }), text('{}'))).toEqual([
      'http://site.test/',
      '-H',
      'Content-Type: application/json',
      '--data-raw',
      '{}',
      '--compressed',
    ])
    expect(given(request({ method: 'DELETE' }))).toContain('DELETE')
    expect(given(request({ method: 'HEAD' }))).toContain('--head')
    expect(given(request({ method: 'POST' }))).toEqual(['http://site.test/', '-X', 'POST', '--compressed'])
    // curl would treat it as a form.
    expect(given(request({ method: 'POST' }), text('plain'))).toContain('Content-Type:')
  })

  test.each([
    `it's "quoted", $HOME \`id\` $(id) \\ ! * ~ # ; & | < >`,
    'two\nlines, a\ttab\n\nand an end\n',
    "'",
    "''\\''",
    '@/etc/passwd',
    '-o /tmp/x',
    '\u001b[201~; id\r\nend\u007f\u009b',
    'é 漢 😀',
    '',
  ])('hands over %j as it is', (content) => {
    const words = given(request({ method: 'POST' }), text(content))
    expect(words[words.indexOf('--data-raw') + 1]).toBe(content)
    const header = content.replaceAll(/[\r\n]/g, ' ')
    expect(given(request({ requestHeaders: { 'x-it': header } }))).toContain(
      header === '' ? 'x-it;' : `x-it: ${header}`,
    )
    const url = `http://site.test/?q=${content}`
    expect(given(request({ url }))[0]).toBe(url)
  })

  test('says what it lacks, and reads that from a file', () => {
    const binary: CopiedBody = { text: null, note: null }
    for (const body of [binary, text('a\0b')]) {
      expect(curlOf(request({ method: 'POST' }), body)).toMatch(/^# The body is binary/)
      expect(given(request({ method: 'POST' }), body)).toContain('@request-body')
    }
    const omitted = { text: null, note: 'The body is not included: too large.' }
    expect(curlOf(request({ method: 'POST' }), omitted)).toMatch(/^# The body is not included: too large\.\n/)
    expect(given(request({ method: 'POST' }), omitted)).toContain('@request-body')
  })
})

test('no control character is written as it is in a command, for terminals act upon them', () => {
  const all = String.fromCharCode(...Array.from({ length: 0x9f }, (_, code) => code + 1))
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  const acted = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/
  const url = `http://site.test/${all}`
  for (const command of [curlOf, fetchOf]) {
    expect(command(request({ method: 'POST', url, requestHeaders: { 'x-it': all } }), text(all))).not.toMatch(acted)
  }
})

test('a command for curl takes brackets and braces for what they are', () => {
  expect(curlOf(request({ url: 'http://site.test/?a[]={1}' }), null)).toContain('--globoff')
  expect(curlOf(request(), null)).not.toContain('--globoff')
})

/** The request that a browser sends. */
async function fetched(code: string): Promise<[string, Record<string, unknown>]> {
  const calls: [string, Record<string, unknown>][] = []
  await (runInNewContext(`(async () => { ${code} })()`, {
    fetch: (url: string, options: Record<string, unknown>) => calls.push([url, structuredClone(options)]),
  }) as Promise<void>)
  expect(calls).toHaveLength(1)
  return calls[0]!
}

test('a call of fetch has what a page may say, in options where it may not in headers', async () => {
  const requestHeaders = {
    'content-type': 'text/plain',
    cookie: 'a=1',
    origin: 'http://site.test',
    referer: 'http://site.test/from',
    'sec-ch-ua': 'x',
    'user-agent': 'x',
  }
  const content = '`${id}` \' " \\ \n\r\u2028</script>'
  expect(await fetched(fetchOf(request({ method: 'PUT', requestHeaders }), text(content)))).toEqual([
    'http://site.test/',
    {
      method: 'PUT',
      headers: { 'content-type': 'text/plain' },
      body: content,
      referrer: 'http://site.test/from',
      mode: 'cors',
      credentials: 'include',
    },
  ])
  expect(await fetched(fetchOf(request({ url: `http://site.test/?'"\\` }), null))).toEqual([
    `http://site.test/?'"\\`,
    { method: 'GET', mode: 'cors', credentials: 'omit' },
  ])
  const binary = fetchOf(request({ method: 'POST' }), { text: null, note: null })
  expect(binary).toMatch(/^\/\/ The body is binary/)
  expect((await fetched(`${binary}`))[1]).not.toHaveProperty('body')
})
