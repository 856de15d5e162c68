import { Readable } from 'node:stream'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { BrowserSession } from '../../../src/ports/browser/browser.ts'
import { startActionPages, type ActionSitePages } from '../../support/site-actions.ts'
import { take } from '../../support/take-steps.ts'
import type { RecordingRecorder } from './recording-recorder.ts'
import { processesWith, startTestPool, type TestPool } from './test-pool.ts'

let testPool: TestPool
let site: ActionSitePages
let session: BrowserSession
let recorder: RecordingRecorder

beforeAll(async () => {
  site = await startActionPages()
  testPool = await startTestPool()
})

afterAll(async () => {
  await testPool.close()
  await site.close()
})

beforeEach(async () => {
  ;({ session, recorder } = await testPool.start())
})

afterEach(async () => {
  await session.close(1_000)
})

type Given = Parameters<typeof take>[1]

const open = async (path: string) => {
  const outcome = await take(session, { navigate: { url: `${site.url}${path}` } })
  expect(outcome.error).toBeNull()
}
const text = async (css: string) => (await take(session, { extract: { target: { css } } })).result
/** The step must succeed. */
const done = async (given: Given) => {
  const outcome = await take(session, given)
  expect(outcome.error).toBeNull()
  return outcome
}
/** The step must fail; returns its code and message. */
const failed = async (given: Given, more: Parameters<typeof take>[2] = {}) => {
  const outcome = await take(session, given, more)
  expect(outcome.error).not.toBeNull()
  return { ...outcome.error!, outcome }
}

/** The same within the least of these times that lets the machine find out the reason; without an effect. */
const failedFor = async (reason: string, given: (timeoutMs: number) => Given) => {
  const within = async ([timeoutMs, ...longer]: readonly number[]): Promise<Awaited<ReturnType<typeof failed>>> => {
    const failure = await failed(given(timeoutMs!))
    const isKnown = failure.code === reason || failure.message.includes(reason)
    return isKnown || longer.length === 0 ? failure : within(longer)
  }
  return within([600, 5_000, 25_000])
}

/** Other processes may end in the meantime. */
const graphicsProcesses = () => {
  const all = testPool.processes()
  return processesWith('--type=gpu-process').filter((pid) => all.includes(pid))
}

describe('navigation', () => {
  test('tells where it ended and what the server answered', async () => {
    const { details } = await done({ navigate: { url: `${site.url}/redirect` } })
    expect(details).toEqual({ url: `${site.url}/redirect`, finalUrl: `${site.url}/form`, status: 200 })
    expect((await done({ navigate: { url: `${site.url}/nothing` } })).details).toMatchObject({ status: 404 })
    await done({ navigate: { url: `${site.url}/form`, waitUntil: 'COMMIT' } })
    await done({ navigate: { url: 'about:blank' } })
  })

  test('goes back and forward as far as the history reaches, and reloads', async () => {
    await open('/form')
    await open('/moves')
    expect((await done({ back: {} })).details).toMatchObject({ finalUrl: `${site.url}/form` })
    expect((await done({ forward: {} })).details).toMatchObject({ finalUrl: `${site.url}/moves` })
    expect((await failed({ forward: {} })).code).toBe('NAVIGATION_FAILED')
    expect((await done({ reload: {} })).details).toMatchObject({ status: 200 })
  })

  test('each step is told of its own, whatever the page before it goes on to', async () => {
    const reported = new Set<string>()
    for (let round = 0; round < 3; round += 1) {
      for (const way of ['/refreshes', '/moves-on']) {
        await take(session, { navigate: { url: `${site.url}${way}?to=http://127.0.0.1:1/` } })
        for (const path of ['/ok1', '/ok2']) {
          const { error, details } = await take(session, { navigate: { url: `${site.url}${path}` } })
          const isReplaced = error?.code === 'NAVIGATION_INTERRUPTED'
          if (!isReplaced)
            reported.add(`${path}: ${error?.message ?? JSON.stringify([details['finalUrl'], details['status']])}`)
          // The pending navigation of the previous page may win: then it is not replaced.
          else expect((await done({ evaluate: { expression: 'location.href' } })).result).toMatch(/^chrome-error:/)
        }
      }
    }
    const wanted = ['/ok1', '/ok2'].map((path) => `${path}: ${JSON.stringify([`${site.url}${path}`, 404])}`)
    expect([...reported].sort()).toEqual(wanted)
  })

  test('fails with the reason', async () => {
    const nobody = await failed({ navigate: { url: 'http://127.0.0.1:1/' } })
    expect(nobody).toMatchObject({ code: 'NAVIGATION_FAILED', message: expect.stringContaining('net::ERR_') })
    expect((await failed({ navigate: { url: 'no address' } })).code).toBe('INVALID_INPUT')
    const slow = await failed({ navigate: { url: `${site.url}/slow`, timeoutMs: 400 } })
    expect(slow.code).toBe('TIMEOUT')
    const navigate = (timeoutMs: number) => ({ navigate: { url: `${site.url}/unfinished`, timeoutMs } })
    const unfinished = await failedFor('not loaded', navigate)
    expect(unfinished).toMatchObject({ code: 'TIMEOUT', message: expect.stringMatching(/not loaded within \d+ ms/) })
  })

  test('asks whether an address may be opened, also where it was redirected to', async () => {
    const refuse = (url: string) => (/forbidden|^file:/.test(url) ? 'is forbidden' : null)
    expect((await failed({ navigate: { url: 'file:///etc/passwd' } }, { refuse })).code).toBe('BLOCKED')
    expect((await failed({ openPage: { url: 'file:///etc/passwd' } }, { refuse })).code).toBe('BLOCKED')
    expect((await failed({ navigate: { url: `${site.url}/to-metadata` } }, { refuse })).code).toBe('BLOCKED')
    // The browser reports addresses a moment later.
    await expect.poll(() => session.pages().map(({ url }) => url)).toEqual(['about:blank'])
  })

  test('a download is no failure', async () => {
    await open('/form')
    expect((await done({ navigate: { url: `${site.url}/attachment` } })).details).toMatchObject({ download: true })
  })
})

describe('acting on elements', () => {
  beforeEach(() => open('/form'))

  test('each way to say which', async () => {
    await done({ fill: { target: { label: 'User' }, value: 'ann' } })
    await done({ fill: { target: { css: '#pass' }, value: 'secret' } })
    await done({ check: { target: { label: 'I agree' } } })
    expect((await done({ select: { target: { css: '#colour' }, labels: ['Green'] } })).result).toEqual(['g'])
    await done({ click: { target: { role: { role: 'button', name: 'Sign in' } } } })
    expect(await text('#out')).toBe('Hello ann/6')
    await done({ click: { target: { testId: 'go' } } })
    await done({ hover: { target: { text: 'bold' } } })
    await done({ click: { target: { css: '#deep' } } })
  })

  test('clicks with button, count, modifiers and position; hovers; scrolls', async () => {
    await done({ click: { target: { css: '#events' }, count: 2, modifiers: ['SHIFT'], position: { x: 3, y: 3 } } })
    expect(await text('#events')).toBe('click 2 shift')
    await done({ click: { target: { css: '#events' }, button: 'RIGHT' } })
    expect(await text('#events')).toBe('menu')
    await done({ scroll: { y: 500 } })
    await expect.poll(async () => (await done({ evaluate: { expression: 'scrollY' } })).result).toBe(500)
    await done({ scroll: { target: { css: '#far' } } })
    expect((await done({ evaluate: { expression: 'scrollY > 1000' } })).result).toBe(true)
  })

  test('types and presses keys', async () => {
    await done({ click: { target: { css: '#keys' } } })
    await done({ type: { text: 'ab' } })
    await done({ press: { key: 'Control+b' } })
    await done({ press: { target: { css: '#keys' }, key: 'Enter' } })
    expect(await text('#keys')).toBe('a b Control^ b^ Enter')
    expect((await failed({ press: { key: 'NoSuchKey' } })).code).toBe('INVALID_INPUT')
  })

  test('what cannot be acted on says why', async () => {
    const disabled = await failedFor('NOT_ACTIONABLE', (timeoutMs) => ({
      click: { target: { css: '#disabled' }, timeoutMs },
    }))
    expect(disabled).toMatchObject({ code: 'NOT_ACTIONABLE', message: expect.stringContaining('not enabled') })
    const covered = await failedFor('NOT_ACTIONABLE', (timeoutMs) => ({
      click: { target: { css: '#under' }, timeoutMs },
    }))
    expect(covered).toMatchObject({ code: 'NOT_ACTIONABLE', message: expect.stringContaining('id="cover"') })
    const hidden = await failedFor('NOT_ACTIONABLE', (timeoutMs) => ({
      click: { target: { css: '#hidden' }, timeoutMs },
    }))
    expect(hidden).toMatchObject({ code: 'NOT_ACTIONABLE', message: expect.stringContaining('not visible') })
    const missing = await failedFor('NOT_FOUND', (timeoutMs) => ({ click: { target: { css: '#nothing' }, timeoutMs } }))
    expect(missing).toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('css=#nothing') })
    expect(
      (
        await failedFor('NOT_ACTIONABLE', (timeoutMs) => ({
          fill: { target: { css: '#text' }, value: 'x', timeoutMs },
        }))
      ).code,
    ).toBe('NOT_ACTIONABLE')
    expect(
      (await failedFor('NOT_ACTIONABLE', (timeoutMs) => ({ check: { target: { css: '#text' }, timeoutMs } }))).code,
    ).toBe('NOT_ACTIONABLE')
    expect(
      (
        await failedFor('NOT_FOUND', (timeoutMs) => ({
          select: { target: { css: '#colour' }, values: ['x'], timeoutMs },
        }))
      ).code,
    ).toBe('NOT_FOUND')
    const barred = await failedFor('NOT_ACTIONABLE', (timeoutMs) => ({
      select: { target: { css: '#colour' }, values: ['b'], timeoutMs },
    }))
    expect(barred).toMatchObject({ code: 'NOT_ACTIONABLE', message: expect.stringContaining('option') })
    expect(
      (await failedFor('INVALID_INPUT', (timeoutMs) => ({ click: { target: { css: 'div[' }, timeoutMs } }))).code,
    ).toBe('INVALID_INPUT')
    expect(
      (await failedFor('INVALID_INPUT', (timeoutMs) => ({ click: { target: { ref: 'nonsense' }, timeoutMs } }))).code,
    ).toBe('INVALID_INPUT')
  })

  test('secrets are masked wherever they might show', async () => {
    const secret = 'k9-correct-horse'
    const outcomes = [
      await done({ fill: { target: { css: '#pass' }, value: secret } }),
      await done({ fill: { target: { css: '#code' }, value: secret } }),
      // The page turns it into a text field while it is being filled in.
      await done({ fill: { target: { css: '#shown' }, value: secret } }),
      await done({ type: { target: { css: '#pass' }, text: secret } }),
      await done({ type: { text: secret } }),
      await done({ extract: { target: { css: '#pass' }, as: 'VALUE' } }),
      (await failed({ fill: { target: { css: '#nothing' }, value: secret, timeoutMs: 300 } })).outcome,
      (await failed({ fill: { target: { css: '#text' }, value: secret, timeoutMs: 300 } })).outcome,
    ]
    for (const outcome of outcomes) expect(JSON.stringify(outcome)).not.toContain(secret)
    expect(outcomes[0]?.details['value']).toContain('16')
    expect((await done({ press: { key: 'q' } })).details['key']).not.toContain('q')
    expect((await done({ fill: { target: { css: '#user' }, value: 'ann' } })).details).toMatchObject({ value: 'ann' })
  })
})

describe('waiting', () => {
  test('for an element, a URL, a load state, a time', async () => {
    await open('/moves')
    await done({ wait: { target: { text: 'came' } } })
    await done({ wait: { loadState: 'NETWORK_IDLE' } })
    await done({ wait: { timeMs: 5 } })
    await done({ click: { target: { css: '#gone' } } })
    await done({ wait: { target: { css: '#gone' }, state: 'DETACHED' } })
    await done({ click: { target: { css: '#next' } } })
    expect((await done({ wait: { url: '**/form' } })).details).toMatchObject({ finalUrl: `${site.url}/form` })
  })

  test('what does not come is a timeout that says what it was', async () => {
    await open('/moves')
    const never = await failedFor('visible', (timeoutMs) => ({ wait: { target: { css: '#never' }, timeoutMs } }))
    expect(never).toMatchObject({ code: 'TIMEOUT', message: expect.stringMatching(/ \d+ ms .*visible/) })
    const elsewhere = await failedFor('/moves', (timeoutMs) => ({ wait: { url: '**/else', timeoutMs } }))
    expect(elsewhere).toMatchObject({ code: 'TIMEOUT', message: expect.stringContaining(`${site.url}/moves`) })
  })
})

describe('scripts and extraction', () => {
  test('values come back as JSON', async () => {
    await open('/form')
    const result = async (input: Record<string, unknown>) => (await done({ evaluate: input })).result
    expect(await result({ expression: '1 + 1' })).toBe(2)
    expect(await result({ expression: 'document.title;' })).toBe('Actions')
    expect(await result({ expression: '({ a, b }) => [a, b]', arg: { a: 1, b: null } })).toEqual([1, null])
    expect(await result({ expression: 'new Promise((resolve) => setTimeout(() => resolve({ at: 1 }), 5))' })).toEqual({
      at: 1,
    })
    expect(await result({ expression: '(e, n) => e.id + n', arg: 7, target: { css: '#text' } })).toBe('text7')
    expect(await result({ expression: '[undefined, NaN, () => 1]' })).toEqual([null, null, null])
    expect(await result({ expression: 'undefined' })).toBeNull()
  })

  test('what goes wrong in a script is a SCRIPT_ERROR with its words', async () => {
    await open('/form')
    const thrown = await failed({ evaluate: { expression: '() => { throw new TypeError("boom") }' } })
    expect(thrown).toMatchObject({ code: 'SCRIPT_ERROR', message: expect.stringContaining('TypeError: boom') })
    expect((await failed({ evaluate: { expression: 'this is no script' } })).code).toBe('SCRIPT_ERROR')
    const long = await failed({ evaluate: { expression: '"x".repeat(300000)' } })
    expect(long).toMatchObject({ code: 'SCRIPT_ERROR', message: expect.stringContaining('300002') })
    expect((await failed({ evaluate: { expression: '(() => { const a = {}; a.a = a; return a })()' } })).code).toBe(
      'SCRIPT_ERROR',
    )
  })

  test('takes texts, HTML, attributes, values and lists', async () => {
    await open('/form')
    const taken = async (input: Record<string, unknown>) => (await done({ extract: input })).result
    expect(await taken({ target: { css: '#text' } })).toBe('Some bold text')
    expect(await taken({ target: { css: '#text' }, as: 'HTML' })).toBe('<p id="text">Some <b>bold</b> text</p>')
    expect(await taken({ target: { text: 'Two' }, as: 'ATTRIBUTE', attribute: 'href' })).toBe('/b')
    expect(await taken({ target: { css: '#colour' }, as: 'VALUE' })).toBe('r')
    expect(await taken({ target: { css: '#terms' }, as: 'VALUE' })).toBe(false)
    const fields = { name: 'a', link: { css: 'a', as: 'ATTRIBUTE', attribute: 'href' }, note: 'i', all: '' }
    expect(await taken({ target: { css: '#list li' }, as: 'LIST', fields })).toEqual([
      { name: 'One', link: '/a', note: '1', all: 'One 1' },
      { name: 'Two', link: '/b', note: null, all: 'Two' },
    ])
    // Names of built-in properties are names like any others.
    const named = JSON.parse('{"__proto__": "a", "constructor": "", "a": "i"}') as Record<string, string>
    const items = await taken({ target: { css: '#list li' }, as: 'LIST', fields: named })
    expect(JSON.stringify(items)).toBe(
      '[{"__proto__":"One","constructor":"One 1","a":"1"},{"__proto__":"Two","constructor":"Two","a":null}]',
    )
    const nothing = await failedFor('NOT_FOUND', (timeoutMs) => ({
      extract: { target: { css: '.no' }, as: 'LIST', fields, timeoutMs },
    }))
    expect(nothing.code).toBe('NOT_FOUND')
    const wrong = await failed({ extract: { target: { css: 'li' }, as: 'LIST', fields: { a: 'b[' } } })
    expect(wrong.code).toBe('INVALID_INPUT')
  })

  test('a page whose policy forbids scripts is driven all the same', async () => {
    await open('/strict')
    const fields = { text: '' }
    expect((await done({ extract: { target: { css: 'li' }, as: 'LIST', fields } })).result).toEqual([
      { text: 'One' },
      { text: 'Two' },
    ])
    await done({ click: { target: { css: '#pass' } } })
    expect((await done({ type: { text: 'secret' } })).details['text']).not.toContain('secret')
    expect((await done({ evaluate: { expression: 'document.querySelectorAll("li").length' } })).result).toBe(2)
  })
})

describe('pictures and pages', () => {
  test('screenshots in each format, whole or of an element; PDF', async () => {
    await open('/form')
    const magic = async (given: Given) => {
      const { file } = await done(given)
      return { ...file!, head: Buffer.from(file!.bytes).toString('latin1', 0, 12), bytes: file!.bytes.length }
    }
    expect(await magic({ screenshot: {} })).toMatchObject({
      kind: 'SCREENSHOT',
      contentType: 'image/png',
      head: expect.stringContaining('PNG'),
    })
    expect(await magic({ screenshot: { format: 'JPEG', fullPage: true } })).toMatchObject({ contentType: 'image/jpeg' })
    expect(await magic({ screenshot: { format: 'WEBP', target: { css: '#list' } } })).toMatchObject({
      head: expect.stringContaining('WEBP'),
    })
    expect(await magic({ pdf: {} })).toMatchObject({
      kind: 'PDF',
      contentType: 'application/pdf',
      head: expect.stringContaining('%PDF'),
    })
  })

  test('a picture for which there is no room fails, and says what has room', async () => {
    await open('/form')
    await done({ evaluate: { expression: 'document.body.style.height = "70000px"; 1' } })
    for (const [format, most] of [
      ['JPEG', '65535'],
      ['WEBP', '16383'],
    ] as const) {
      const { code, message, outcome } = await failed({ screenshot: { format, fullPage: true } })
      expect({ code, message }).toEqual({ code: 'NOT_ACTIONABLE', message: expect.stringContaining(most) })
      expect(outcome.file).toBeNull()
    }
    await done({ evaluate: { expression: 'document.body.style.width = "70000px"; 1' } })
    const graphics = graphicsProcesses()
    for (const target of [null, { css: 'body' }]) {
      const { message } = await failed({ screenshot: target ? { target } : { fullPage: true } })
      expect(message).toMatch(/^The browser could not take this picture/)
    }
    // It crashes on a picture of that size, and the next screenshot may fail until it has restarted.
    expect(graphicsProcesses()).toEqual(expect.arrayContaining(graphics))
    await done({ screenshot: {} })
  })

  test('opens, resizes and closes pages', async () => {
    const opened = await done({ openPage: { url: `${site.url}/form` } })
    expect(opened).toMatchObject({ pageId: 'p2', details: { pageId: 'p2', status: 200 } })
    const size = await take(session, { setViewport: { width: 500, height: 300 } }, { pageId: 'p2' })
    expect(size.error).toBeNull()
    const width = await take(session, { evaluate: { expression: 'innerWidth' } }, { pageId: 'p2' })
    expect(width.result).toBe(500)
    expect((await take(session, { closePage: {} }, { pageId: 'p2' })).error).toBeNull()
    expect((await take(session, { click: { target: { css: 'a' } } }, { pageId: 'p2' })).error?.code).toBe('PAGE_CLOSED')
    expect(recorder.drafts.filter(({ kind }) => kind === 'PAGE_OPENED')).toHaveLength(2)
  })
})

describe('files', () => {
  const file = (name: string, content: string) => ({
    name,
    contentType: 'text/plain',
    sizeBytes: content.length,
    open: async () => Readable.from([content]),
  })

  test('are given to inputs and to choosers, under their names', async () => {
    await open('/files')
    const input = { target: { css: '#file' }, artifactIds: ['x', 'y'] }
    const files = [file('a.txt', 'first'), file('a.txt', 'second')]
    expect((await take(session, { upload: input }, { files })).error).toBeNull()
    await expect.poll(() => text('#out')).toBe('a.txt:text/plain:first|a.txt:text/plain:second')
    const chosen = { upload: { target: { css: '#choose' }, artifactIds: ['x'] } }
    expect((await take(session, chosen, { files: [file('../../b.txt', 'third')] })).error).toBeNull()
    await expect.poll(() => text('#out')).toBe('b.txt:text/plain:third')
  })
})
