import { afterAll, beforeAll, expect, test } from 'vitest'
import type { LocalSessionHandle } from '../../src/domain/local/local-session-handle.ts'
import { useLiveSessions } from '../support/live-sessions.ts'
import { NO_DEADLINE } from '../support/patience.ts'
import { store, useStore } from '../support/session-log.ts'
import { startLoginSite } from '../support/site-login.ts'

/** What a password becomes on its way, in real bodies of a real browser, and what is kept of them. */

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
  const act = (actions: Record<string, unknown>[]) => handle.act({ actions, pageId: null }, NO_DEADLINE)
  const taken = await act([
    { navigate: { url: site.url } },
    { fill: { target: { css: '#user' }, value: 'ann the user' } },
    { fill: { target: { css: '#pw' }, value: SECRET } },
    { type: { target: { css: '#note' }, text: 'a plain note' } },
    ...['json', 'form', 'multipart', 'query', 'path'].map((way) => ({
      evaluate: { expression: `window.send.${way}().then((answer) => answer.status)` },
    })),
    {
      evaluate: {
        expression: `(() => { const form = document.querySelector('form'); form.method = 'post'; form.action = '/page' })()`,
      },
    },
    { click: { target: { css: 'button' } } },
  ])
  expect(taken.map(({ data }) => data.error)).toEqual(taken.map(() => null))
  await expect
    .poll(() => site.received.map(({ url }) => url.split(/[?/]/)[1]))
    .toEqual(['json', 'form', 'multipart', 'query', 'path', 'page'])
  for (const { contentType, body, answer, url } of site.received) {
    const isText = !contentType.startsWith('multipart/')
    const sent = await session.sink.keepBody({
      direction: 'REQUEST',
      bytes: body,
      contentType,
      sizeBytes: body.length,
      isText,
    })
    const bytes = Buffer.from(answer)
    const type = url === '/page' ? 'text/html' : 'application/json'
    const got = await session.sink.keepBody({
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
