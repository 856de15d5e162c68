import { afterAll, beforeAll, expect, test } from 'vitest'
import type { LocalSessionHandle } from '../../src/domain/local/local-session-handle.ts'
import { useLiveSessions } from '../support/live-sessions.ts'
import { NO_DEADLINE } from '../support/time-limits.ts'
import { store, useStore } from '../support/session-log.ts'
import { startLoginSite } from '../support/site-login.ts'

/** Encodings of a password in real bodies of a real browser, and their stored form. */

useStore()
const { sessionsOver } = useLiveSessions()

let site: Awaited<ReturnType<typeof startLoginSite>>

beforeAll(async () => {
  site = await startLoginSite()
})

afterAll(() => site.close())

const SECRET = 'hünter "2" & <3>/\\+%'

test('a typed password is in no body that is kept, and what else was typed is', async () => {
  const { sessions, start, follow } = sessionsOver(store)
  const { id } = await start()
  const handle = (await sessions.handle(id)) as LocalSessionHandle
  const { session } = handle
  const ways = ['json', 'form', 'multipart', 'query', 'path']
  const expression = `(async () => {
    for (const way of ${JSON.stringify(ways)}) await window.send[way]()
    Object.assign(document.querySelector('form'), { method: 'post', action: '/page' })
  })()`
  const timeoutMs = 60_000
  const actions = [
    { navigate: { url: site.url, timeoutMs } },
    { fill: { target: { css: '#user' }, value: 'ann the user', timeoutMs } },
    { fill: { target: { css: '#pw' }, value: SECRET, timeoutMs } },
    { fill: { target: { css: '#note' }, value: 'a plain note', timeoutMs } },
    { evaluate: { expression, timeoutMs } },
    { click: { target: { css: 'button' }, timeoutMs } },
  ]
  const taken = await handle.act({ actions, pageId: null }, NO_DEADLINE)
  expect(taken.map(({ data }) => data.error)).toEqual(taken.map(() => null))
  await expect.poll(() => site.received.map(({ url }) => url.split(/[?/]/)[1])).toEqual([...ways, 'page'])
  for (const { contentType, body, answer, url } of site.received) {
    const isText = !contentType.startsWith('multipart/')
    const sent = await session.sink.saveBody({
      direction: 'REQUEST',
      bytes: body,
      contentType,
      sizeBytes: body.length,
      isText,
    })
    const bytes = Buffer.from(answer)
    const type = url === '/page' ? 'text/html' : 'application/json'
    const got = await session.sink.saveBody({
      direction: 'RESPONSE',
      bytes,
      contentType: type,
      sizeBytes: bytes.length,
      isText: true,
    })
    for (const kept of [sent, got]) {
      const { inline, encoding } = kept.body!
      const text = encoding === 'UTF8' ? inline! : Buffer.from(inline!, 'base64').toString('latin1')
      expect(text).not.toMatch(/nter|%5[cC]|\\\\|3>/)
      if (text !== '' && !/query|path/.test(url)) expect(text).toContain('[redacted]')
      if (/json|form|multipart/.test(url)) expect(text).toMatch(/ann.the.user/)
      if (/json|form|multipart/.test(url)) expect(text).toMatch(/a.plain.note/)
    }
  }
  const entries = follow(await sessions.find('ann', id).then((found) => found!))
  await session.end('TERMINATED')
  const log = await entries
  expect(JSON.stringify(log)).not.toMatch(/nter[ +%]/)
  const urls = log.flatMap((entry) => (entry.kind === 'NETWORK_REQUEST' ? [entry.data.url.slice(site.url.length)] : []))
  expect(urls).toContain('/query?user=ann+the+user&pw=[redacted]&note=a+plain+note')
  expect(urls).toContain('/path/[redacted]')
})
