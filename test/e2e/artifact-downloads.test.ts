import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { artifactApi, type ArtifactData } from '../support/artifact-api.ts'
import { leakGate } from '../support/leak-gate.ts'
import { sessionApi } from '../support/session-api.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'

leakGate()

let tabwire: TestApp
let sessionId: string
const api = artifactApi(() => tabwire)
const sessions = sessionApi(() => tabwire)
const digits: { artifact?: ArtifactData } = {}

beforeAll(async () => {
  tabwire = await startTestApp()
  sessionId = (await sessions.start()).id
  digits.artifact = await api.give(sessionId, '0123456789', 'digits.txt', 'text/plain')
})
afterAll(() => tabwire?.close())

const open = (headers: Record<string, string> = {}, init: RequestInit = {}) =>
  fetch(digits.artifact!.url, { ...init, headers })

describe('a download', () => {
  test('is the bytes, with all that may be known of them', async () => {
    const response = await open()
    const { sha256, createdAt } = digits.artifact!
    expect([response.status, await response.text()]).toEqual([200, '0123456789'])
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/plain',
      'content-length': '10',
      'content-disposition': 'attachment; filename=digits.txt',
      etag: `"${sha256}"`,
      'last-modified': new Date(createdAt).toUTCString(),
      'accept-ranges': 'bytes',
      'cache-control': 'private, no-cache',
      'x-content-type-options': 'nosniff',
      'content-security-policy': expect.stringMatching(/^default-src 'none';.*; sandbox$/) as string,
      'referrer-policy': 'no-referrer',
      'access-control-allow-origin': '*',
      'cross-origin-resource-policy': 'cross-origin',
    })
    expect(response.headers.has('x-frame-options')).toBe(false)
  })

  test('HEAD is the same without them', async () => {
    const response = await open({}, { method: 'HEAD' })
    expect([response.status, await response.text()]).toEqual([200, ''])
    expect(response.headers.get('content-length')).toBe('10')
    expect(response.headers.get('content-type')).toBe('text/plain')
  })

  const etag = () => `"${digits.artifact!.sha256}"`
  const modified = () => new Date(digits.artifact!.createdAt).toUTCString()
  const earlier = 'Mon, 01 Jan 2024 00:00:00 GMT'

  test.each<[string, () => Record<string, string>, number, string, string | null]>([
    ['a range', () => ({ range: 'bytes=2-4' }), 206, '234', 'bytes 2-4/10'],
    ['an open range', () => ({ range: 'bytes=7-' }), 206, '789', 'bytes 7-9/10'],
    ['the last bytes', () => ({ range: 'bytes=-3' }), 206, '789', 'bytes 7-9/10'],
    ['more last bytes than there are', () => ({ range: 'bytes=-99' }), 206, '0123456789', 'bytes 0-9/10'],
    ['no last bytes', () => ({ range: 'bytes=-0' }), 416, '', 'bytes */10'],
    ['the first byte', () => ({ range: 'bytes=0-0' }), 206, '0', 'bytes 0-0/10'],
    ['more than there is', () => ({ range: 'bytes=8-99' }), 206, '89', 'bytes 8-9/10'],
    ['ranges that are one', () => ({ range: 'bytes=1-2,3-4' }), 206, '1234', 'bytes 1-4/10'],
    ['ranges apart', () => ({ range: 'bytes=1-2,5-6' }), 200, '0123456789', null],
    ['a range beyond', () => ({ range: 'bytes=10-' }), 416, '', 'bytes */10'],
    ['a mangled range', () => ({ range: 'bytes=x' }), 200, '0123456789', null],
    ['another unit', () => ({ range: 'lines=1-2' }), 200, '0123456789', null],
    ['the same entity', () => ({ 'if-none-match': etag() }), 304, '', null],
    ['one of several entities', () => ({ 'if-none-match': `"x", ${etag()}` }), 304, '', null],
    ['a weak entity', () => ({ 'if-none-match': `W/${etag()}` }), 304, '', null],
    ['another entity', () => ({ 'if-none-match': '"other"' }), 200, '0123456789', null],
    ['the entity that is wanted', () => ({ 'if-match': `"x", ${etag()}` }), 200, '0123456789', null],
    ['any entity', () => ({ 'if-match': '*', range: 'bytes=1-1' }), 206, '1', 'bytes 1-1/10'],
    ['an entity that is wanted no more', () => ({ 'if-match': '"x"', range: 'bytes=1-1' }), 412, '', null],
    ['not modified since', () => ({ 'if-modified-since': modified() }), 304, '', null],
    ['modified since', () => ({ 'if-modified-since': earlier }), 200, '0123456789', null],
    [
      'entity before date',
      () => ({ 'if-none-match': '"x"', 'if-modified-since': modified() }),
      200,
      '0123456789',
      null,
    ],
    ['a range of this entity', () => ({ range: 'bytes=1-1', 'if-range': etag() }), 206, '1', 'bytes 1-1/10'],
    ['a range of this date', () => ({ range: 'bytes=1-1', 'if-range': modified() }), 206, '1', 'bytes 1-1/10'],
    ['a range of another entity', () => ({ range: 'bytes=1-1', 'if-range': '"x"' }), 200, '0123456789', null],
    ['a range of a weak entity', () => ({ range: 'bytes=1-1', 'if-range': `W/${etag()}` }), 200, '0123456789', null],
  ])('answers %s', async (_, headers, status, body, contentRange) => {
    const response = await open(headers())
    expect(response.status).toBe(status)
    expect(response.headers.get('content-range')).toBe(contentRange)
    if (status < 400) expect(await response.text()).toBe(body)
  })

  test('of nothing is nothing, and has no ranges', async () => {
    const { url } = await api.give(sessionId, '', 'empty.bin')
    const whole = await fetch(url)
    expect([whole.status, await whole.text(), whole.headers.get('content-length')]).toEqual([200, '', '0'])
    expect((await fetch(url, { headers: { range: 'bytes=0-' } })).status).toBe(416)
  })

  test('takes GET and HEAD alone, from any site', async () => {
    const refused = await open({}, { method: 'POST' })
    expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS'])
    const asked = await open(
      { origin: 'https://example.org', 'access-control-request-headers': 'range' },
      { method: 'OPTIONS' },
    )
    expect(asked.status).toBe(204)
    expect(asked.headers.get('access-control-allow-headers')).toContain('range')
  })

  test('that its reader leaves in the middle lets go of the file', async () => {
    const big = await api.ticket(sessionId, 'big.bin')
    const answer = await fetch(big.url, { method: 'PUT', body: randomBytes(30_000_000) })
    expect(answer.status).toBe(201)
    const { url } = (await api.find(big.artifactId))!
    const { hostname, port, pathname, search } = new URL(url)
    const socket = connect(Number(port), hostname)
    socket.write(`GET ${pathname}${search} HTTP/1.1\r\nHost: x\r\n\r\n`)
    await once(socket, 'data')
    socket.destroy()
    // Its bytes can be deleted while they are not open, and the app closes without it: leakGate checks.
    await api.remove(big.artifactId)
    expect((await fetch(url)).status).toBe(404)
  })
})

describe('what a file is decides how it is shown', () => {
  test.each([
    ['a.png', 'image/png', 'inline'],
    ['a.svg', 'image/svg+xml', 'inline'],
    ['a.webm', 'video/webm', 'inline'],
    ['a.pdf', 'application/pdf', 'inline'],
    ['a.html', 'text/html', 'attachment'],
    ['a.zip', 'application/zip', 'attachment'],
    ['a.js', 'text/javascript; charset=utf-8', 'attachment'],
  ])('%s as %s: %s', async (name, contentType, disposition) => {
    const { url } = await api.give(sessionId, 'x', name, contentType)
    const shown = await fetch(url)
    expect(shown.headers.get('content-type')).toBe(contentType)
    expect(shown.headers.get('content-disposition')).toMatch(new RegExp(`^${disposition};`))
    const policy = shown.headers.get('content-security-policy')
    expect(policy).toContain("default-src 'none'")
    if (contentType !== 'application/pdf') expect(policy).toMatch(/; sandbox$/)
    const saved = await fetch(`${url}&download=1`)
    expect([saved.status, saved.headers.get('content-disposition')]).toEqual([200, `attachment; filename=${name}`])
  })

  test.each([
    ['../../etc/passwd', 'passwd'],
    ['C:\\dir\\report.txt', 'report.txt'],
    ['a\r\nx-evil: 1.txt', 'ax-evil_ 1.txt'],
    ['..', 'file'],
    ['Übung 😀 "1".txt', 'Übung 😀 _1_.txt'],
    ['gnp.\u202Eexe', 'gnp.exe'],
    [`${'ä'.repeat(400)}.tar`, `${'ä'.repeat(98)}.tar`],
  ])('%j is called %j', async (given, name) => {
    const artifact = await api.give(sessionId, 'named', given)
    expect(artifact.name).toBe(name)
    const response = await fetch(artifact.url)
    expect([response.status, await response.text()]).toEqual([200, 'named'])
    expect(response.headers.get('content-disposition')).toMatch(/^attachment; filename/)
    expect(response.headers.has('x-evil')).toBe(false)
  })
})
