import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { BrowserSession } from '../../../src/ports/browser/browser.ts'
import { NO_DEADLINE } from '../../support/time-limits.ts'
import { startActionPages, type ActionSitePages } from '../../support/site-actions.ts'
import { take } from '../../support/take-steps.ts'
import type { RecordingRecorder } from './recording-recorder.ts'
import { startTestPool, type TestPool } from './test-pool.ts'

let testPool: TestPool
let site: ActionSitePages
let session: BrowserSession
let recorder: RecordingRecorder

beforeAll(async () => {
  site = await startActionPages()
  testPool = await startTestPool({ warm: 0 })
})

afterAll(async () => {
  await testPool.close()
  await site.close()
})

beforeEach(async () => {
  ;({ session, recorder } = await testPool.start())
  await done({ navigate: { url: `${site.url}/secrets` } })
})

afterEach(async () => {
  await session.close(1_000)
})

const done = async (given: Parameters<typeof take>[1]) => {
  const outcome = await take(session, given)
  expect(outcome.error).toBeNull()
  return outcome
}

/** Everything that a reader of the session learns about a field. */
async function reported(css: string): Promise<string> {
  const seen = await session.observe({
    pageId: 'p1',
    target: null,
    maxCharacters: 100_000,
    signal: NO_DEADLINE,
  })
  const extracts = [
    { target: { css }, as: 'VALUE' },
    { target: { css }, as: 'HTML' },
    { target: { css }, as: 'ATTRIBUTE', attribute: 'VALUE' },
    { target: { css: 'body' }, as: 'HTML' },
    { target: { css: 'body' }, as: 'LIST', fields: { value: { css, as: 'VALUE' }, html: { css, as: 'HTML' } } },
  ]
  const outcomes = []
  for (const extract of extracts) outcomes.push(await done({ extract }))
  return JSON.stringify([seen, outcomes])
}

const SECRET = 'k9-"correct"&horse'
/** As HTML and JSON may write it. */
const LEAK = /k9-|horse/

test.each(['#password', '#code', '#card', '#area', '#synced'])('what %s holds is told nowhere', async (css) => {
  expect((await done({ fill: { target: { css }, value: SECRET } })).details['value']).not.toMatch(LEAK)
  const all = await reported(css)
  expect(all).not.toMatch(LEAK)
  expect(all).toContain('••••••')
})

test('nor what a password field holds once the page shows it', async () => {
  await done({ fill: { target: { label: 'Password' }, value: SECRET } })
  await done({ click: { target: { css: '#show' } } })
  expect((await done({ evaluate: { expression: 'password.type' } })).result).toBe('text')
  expect(await reported('#password')).not.toMatch(LEAK)
  await done({ click: { target: { css: '#password' } } })
  expect((await done({ type: { text: 'horse' } })).details['text']).not.toMatch(LEAK)
  expect((await done({ press: { target: { css: '#password' }, key: 'z' } })).details['key']).not.toBe('z')
  expect((await done({ fill: { target: { css: '#password' }, value: SECRET } })).details['value']).not.toMatch(LEAK)
})

test('who records is told of what was typed into secret fields, and of nothing else', async () => {
  await done({ fill: { target: { css: '#plain' }, value: 'plain words' } })
  await done({ type: { target: { css: '#plain' }, text: 'more of them' } })
  const missing = { fill: { target: { css: '#missing' }, value: 'never typed', timeoutMs: 100 } }
  expect((await take(session, missing)).error).not.toBeNull()
  expect(recorder.secrets).toEqual([])
  await done({ fill: { target: { css: '#password' }, value: SECRET } })
  await done({ type: { target: { css: '#code' }, text: '123456' } })
  await done({ click: { target: { css: '#show' } } })
  await done({ fill: { target: { css: '#password' }, value: 'while it shows' } })
  expect(recorder.secrets).toEqual([SECRET, '123456', 'while it shows'])
})

test('other fields are told as they are', async () => {
  await done({ fill: { target: { css: '#password' }, value: SECRET } })
  await done({ fill: { target: { css: '#plain' }, value: 'plain words' } })
  expect(await reported('#plain')).toContain('plain words')
})
