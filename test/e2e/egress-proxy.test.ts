import { Writable } from 'node:stream'
import pino from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startUpstream, type TestUpstream } from '../adapters/egress/upstream-proxy.ts'
import { actionApi } from '../support/action-api.ts'
import { processes } from '../support/browser-processes.ts'
import { contentOf } from '../support/folder-content.ts'
import { freePort } from '../support/free-port.ts'
import { leakGate } from '../support/leak-gate.ts'
import { startPagesSite, type PagesSite } from '../support/pages-site.ts'
import { sessionApi } from '../support/session-api.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'
import { readEntireLog } from '../support/entire-log.ts'

const PASSWORD = 'pass-word-that-nobody-may-see'

leakGate()
let site: PagesSite
let upstream: TestUpstream
let app: TestApp
let written = ''
const { start, get, recorded, terminate } = sessionApi(() => app)
const { run } = actionApi(() => app)

beforeAll(async () => {
  site = await startPagesSite({ '/': '<title>Behind it</title>' })
  upstream = await startUpstream({ credentials: `user:${PASSWORD}` })
  const log = new Writable({
    write(chunk: Buffer, _, done) {
      written += chunk.toString()
      done()
    },
  })
  app = await startTestApp({}, pino({ level: 'trace' }, log))
})
afterAll(async () => {
  await app.close()
  await upstream.close()
  await site.close()
})

const proxy = (password = PASSWORD) => ({ server: `http://127.0.0.1:${upstream.port}`, username: 'user', password })

async function everythingOf(id: string): Promise<string> {
  const query = `query ($id: ID!) { session(id: $id) {
    id error egress allowedHosts proxy access { cdpUrl liveViewUrl } } }`
  const fields = `__typename ... on NetworkRequest { url failure requestHeaders responseHeaders remoteAddress }
    ... on ConsoleMessage { text } ... on Action { details error { message } }`
  return JSON.stringify([await app.query(query, { id }), await readEntireLog(app, id, fields)])
}

describe('a proxy of the user', () => {
  test('carries all that pages ask for; its credentials are nowhere to be read', async () => {
    const session = await start(
      { proxy: proxy(), initialPrompt: `http://behind.test:${new URL(site.url).port}/` },
      'LOADED',
    )
    await expect.poll(async () => (await get(session.id))?.title).toBe('Behind it')
    expect(upstream.asked.some((what) => what.startsWith('GET http://behind.test:'))).toBe(true)
    const reported = await everythingOf(session.id)
    expect(reported).toContain(`"proxy":"http://127.0.0.1:${upstream.port}"`)
    // Only the proxy knows which server responded.
    expect(reported).not.toMatch(/"remoteAddress":"/)
    const commands = (await processes()).map(({ command }) => command).join('\n')
    await terminate(session.id)
    const stored = await contentOf(app.dataDir)
    expect(stored).toContain(`http://127.0.0.1:${upstream.port}`)
    const secret = Buffer.from(`user:${PASSWORD}`).toString('base64')
    for (const text of [reported, commands, stored, written]) {
      expect(text.includes(PASSWORD)).toBe(false)
      expect(text.includes(secret)).toBe(false)
    }
  })

  test('that refuses the credentials fails each request, with its own error in the log', async () => {
    const { id } = await start({ proxy: proxy('another') })
    const [http] = await run(id, [{ navigate: { url: `${site.url}/` } }])
    expect(http!.error).toMatchObject({
      code: 'NAVIGATION_FAILED',
      message: expect.stringContaining('ERR_TUNNEL_CONNECTION_FAILED'),
    })
    const [https] = await run(id, [{ navigate: { url: 'https://behind.test/' } }])
    expect(https!.error).toMatchObject({
      code: 'NAVIGATION_FAILED',
      message: expect.stringContaining('ERR_TUNNEL_CONNECTION_FAILED'),
    })
    await recorded(id)
    const reported = await everythingOf(id)
    expect(reported.match(/"failure":"net::ERR_TUNNEL_CONNECTION_FAILED"/g)).toHaveLength(2)
    await terminate(id)
    expect(site.asked.length).toBeLessThan(5)
  })

  test('that is not there says so', async () => {
    const { id } = await start({ proxy: { server: `socks5://127.0.0.1:${await freePort()}` } })
    const [step] = await run(id, [{ navigate: { url: `${site.url}/` } }])
    expect(step!.error!.message).toContain('net::ERR_PROXY_CONNECTION_FAILED')
    await terminate(id)
  })

  test('is kept from what sessions never reach', async () => {
    const { id } = await start({ proxy: proxy(), allowedHosts: ['behind.test'] })
    const before = upstream.asked.length
    for (const url of [
      'http://169.254.169.254/',
      'http://metadata.google.internal/',
      'http://elsewhere.test/',
      `${site.url}/`,
    ]) {
      const [step] = await run(id, [{ navigate: { url } }])
      expect([url, step!.error]).toMatchObject([url, { code: 'BLOCKED' }])
    }
    expect(upstream.asked.length).toBe(before)
    await terminate(id)
  })

  test('is refused where it breaks a rule, without repeating what was given', async () => {
    const query = `mutation ($input: StartSessionInput!) { startSession(input: $input) { id } }`
    for (const server of [
      `ftp://user:${PASSWORD}@proxy.test`,
      `http://user:${PASSWORD}@169.254.169.254:80`,
      `http://:${PASSWORD}@/`,
    ]) {
      const { errors } = await app.send(query, { input: { proxy: { server } } })
      expect(errors?.[0]).toMatchObject({ extensions: { code: 'BAD_USER_INPUT' } })
      expect(JSON.stringify(errors)).not.toContain(PASSWORD)
    }
    expect(written.includes(PASSWORD)).toBe(false)
  })
})
