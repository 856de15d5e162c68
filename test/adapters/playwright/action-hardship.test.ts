import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { BrowserSession } from '../../../src/ports/browser/browser.ts'
import { WAIT_LIMITS, NO_DEADLINE } from '../../support/time-limits.ts'
import { startActionPages, type ActionSitePages } from '../../support/site-actions.ts'
import { stepOf, take } from '../../support/take-steps.ts'
import type { RecordingRecorder } from './recording-recorder.ts'
import { startTestPool, type TestPool } from './test-pool.ts'
import { freezeProcesses } from '../../support/freeze-process.ts'

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
})

afterEach(async () => {
  await session.close(1_000)
})

const open = async (path: string) => {
  expect((await take(session, { navigate: { url: `${site.url}${path}` } })).error).toBeNull()
}
const text = async (css: string) => (await take(session, { extract: { target: { css } } })).result
const observe = (more: { maxCharacters?: number; target?: Record<string, unknown>; signal?: AbortSignal } = {}) => {
  const step = more.target ? stepOf({ hover: { target: more.target } }) : null
  const target = step?.name === 'hover' ? step.input.target : null
  const { maxCharacters = 100_000, signal = NO_DEADLINE } = more
  return session.observe({ pageId: 'p1', target, maxCharacters, signal })
}
const refOf = (snapshot: string, name: string) =>
  new RegExp(`"${name}".*\\[ref=(\\w+)\\]`).exec(snapshot)?.[1] ?? 'none'

describe('observation', () => {
  test('gives refs that steps act by, in frames too', async () => {
    await open('/frames')
    const { observation } = await observe()
    expect(observation).toMatchObject({ url: `${site.url}/frames`, title: 'Actions', truncated: 0 })
    const ref = refOf(observation!.snapshot, 'Inner')
    expect((await take(session, { click: { target: { ref } } })).error).toBeNull()
    expect(await text('#outer >> iframe[name=inner] >> button')).toBe('done')
  })

  test('a ref whose element is gone is stale at once', async () => {
    await open('/moves')
    const { observation } = await observe()
    const ref = refOf(observation!.snapshot, 'Gone')
    expect((await take(session, { click: { target: { ref } } })).error).toBeNull()
    expect((await take(session, { click: { target: { ref } } })).error?.code).toBe('STALE_REF')
    expect((await take(session, { wait: { target: { ref }, state: 'HIDDEN' } })).error).toBeNull()
    await open('/form')
    expect((await take(session, { click: { target: { ref: 'e9999' } } })).error?.code).toBe('STALE_REF')
  })

  test('is cut at the end of a line and says so; a target narrows it', async () => {
    await open('/form')
    const whole = (await observe()).observation!.snapshot
    const cut = (await observe({ maxCharacters: 200 })).observation!
    const kept = cut.snapshot.split('\n').slice(0, -1).join('\n')
    expect(whole.startsWith(kept)).toBe(true)
    expect(kept.length + cut.truncated).toBe(whole.length)
    expect(cut.snapshot).toContain(`${cut.truncated} more characters`)
    const list = (await observe({ target: { css: '#list' } })).observation!.snapshot
    expect(list).toContain('One')
    expect(list).not.toContain('Password')
    expect((await observe({ target: { css: '#nothing' } })).error?.code).toBe('NOT_FOUND')
  })

  test('does not tell what password fields hold', async () => {
    await open('/form')
    await take(session, { fill: { target: { css: '#user' }, value: 'ann' } })
    for (const secret of ['k9-correct-horse', "it's: #1 \\", '123']) {
      await take(session, { fill: { target: { css: '#pass' }, value: secret } })
      const { snapshot } = (await observe()).observation!
      expect(snapshot).toMatch(/"User".*: ann/)
      expect(snapshot).toMatch(/"Password".*: ••••••/)
      expect((await observe({ target: { css: '#pass' } })).observation!.snapshot).not.toContain(secret)
    }
  })

  test('a picture is a JPEG', async () => {
    await open('/form')
    const picture = await session.picture('p1', 50, NO_DEADLINE)
    expect(Buffer.from(picture!).subarray(0, 3).toString('hex')).toBe('ffd8ff')
    expect(await session.picture('p9', 50, NO_DEADLINE)).toBeNull()
  })
})

describe('dialogs', () => {
  const answers = () => recorder.drafts.flatMap((draft) => (draft.kind === 'DIALOG' ? [draft.data.accepted] : []))

  test('the answer may be said before', async () => {
    await open('/dialogs')
    expect((await take(session, { dialog: { accept: true } })).details).toMatchObject({ forTheNext: true })
    expect((await take(session, { click: { target: { css: '#confirm' } } })).error).toBeNull()
    expect(await text('#confirm')).toBe('true')
    await take(session, { dialog: { accept: true, promptText: 'Ann' } })
    await take(session, { click: { target: { css: '#prompt' } } })
    expect(await text('#prompt')).toBe('Ann')
    await take(session, { dialog: { accept: false } })
    await take(session, { click: { target: { css: '#prompt' } } })
    expect(await text('#prompt')).toBe('null')
    expect(answers()).toEqual([true, true, false])
  })

  test('or after the step that opened it, which does not wait', async () => {
    await open('/dialogs')
    const clicked = await take(session, { click: { target: { css: '#confirm' } } })
    expect(clicked).toMatchObject({ error: null, details: { dialog: { type: 'confirm', message: 'Sure?' } } })
    expect((await take(session, { extract: { target: { css: '#confirm' } } })).error?.code).toBe('NOT_ACTIONABLE')
    expect((await observe()).error?.message).toContain('Sure?')
    const answered = await take(session, { dialog: { accept: true } })
    expect(answered.details).toMatchObject({ dialog: { message: 'Sure?' } })
    expect(await text('#confirm')).toBe('true')
    const evaluated = await take(session, { evaluate: { expression: 'alert("From a script")' } })
    expect(evaluated.details).toMatchObject({ dialog: { message: 'From a script' } })
    await take(session, { dialog: {} })
    expect(answers()).toEqual([true, true])
  })

  test('nobody has to answer', async () => {
    await open('/dialogs')
    // Answered only after the step: a dialog that opens during a step is left to the next one.
    const asked = Promise.withResolvers<ServerResponse>()
    const held = createServer((_, response) => asked.resolve(response)).listen(0, '127.0.0.1')
    onTestFinished(() => void held.close())
    await once(held, 'listening')
    const url = `http://127.0.0.1:${(held.address() as AddressInfo).port}/`
    const expression = `void fetch('${url}', { mode: 'no-cors' }).then(() => document.querySelector('#later').click())`
    expect((await take(session, { evaluate: { expression } })).error).toBeNull()
    const response = await asked.promise
    response.setHeader('connection', 'close').end()
    await expect.poll(answers).toEqual([false])
    expect(await text('#later')).toBe('false')
    await take(session, { click: { target: { css: '#leave' } } })
    await open('/form')
  })
})

describe('dialogs without an end', () => {
  const message = (outcome: { details: Record<string, unknown> }) =>
    (outcome.details['next'] as { message: string })?.message

  test('each is answered by a step of its own, which tells the next', async () => {
    await open('/dialogs')
    await take(session, { click: { target: { css: '#three' } } })
    expect(message(await take(session, { dialog: { accept: true } }))).toBe('two')
    expect(message(await take(session, { dialog: { accept: false } }))).toBe('three')
    const last = await take(session, { dialog: { accept: true } })
    expect(last.details).toMatchObject({ dialog: { message: 'three' } })
    expect(last.details).not.toHaveProperty('next')
    expect(await text('#three')).toBe('3: truefalsetrue')
  })

  test('a page that holds itself up with them can be closed', async () => {
    await open('/dialogs')
    await take(session, { openPage: { url: `${site.url}/form` } })
    await take(session, { click: { target: { css: '#again' } } })
    await take(session, { dialog: {} })
    const asked = await take(session, { closePage: { runBeforeUnload: true, timeoutMs: WAIT_LIMITS.timeout } })
    expect(asked.error?.code).toBe('NOT_ACTIONABLE')
    expect((await take(session, { closePage: { timeoutMs: WAIT_LIMITS.timeout } })).error).toBeNull()
    expect(session.pages().map(({ pageId }) => pageId)).toEqual(['p2'])
  })

  test('a page that asks before it is left, and may stay, stays at once', async () => {
    await open('/dialogs')
    await take(session, { click: { target: { css: '#leave' } } })
    await take(session, { dialog: { accept: false } })
    const closing = await take(session, { closePage: { runBeforeUnload: true } })
    expect(closing).toMatchObject({ error: null, details: { closed: false } })
    await take(session, { dialog: { accept: false } })
    const leaving = await take(session, { navigate: { url: `${site.url}/form` } })
    expect(leaving.error).toMatchObject({ code: 'NAVIGATION_FAILED', message: expect.stringContaining('dialog') })
    expect(await text('#leave')).toBe('Leave')
    await take(session, { dialog: { accept: true } })
    expect((await take(session, { closePage: { runBeforeUnload: true } })).details).not.toHaveProperty('closed')
    expect(session.pages()).toEqual([])
  })
})

describe('whatever the page does, a step ends', () => {
  test('a page in an endless loop', async () => {
    await open('/hang')
    const looping = await take(
      session,
      { evaluate: { expression: 'hang()', timeoutMs: 500 } },
      { signal: AbortSignal.timeout(700) },
    )
    expect(looping.error?.code).toBe('TIMEOUT')
    // The script's loop has been stopped; the page has one of its own.
    const click = await take(session, { click: { target: { css: '#hang' }, timeoutMs: 3_000 } })
    expect(click.error?.code).toBe('TIMEOUT')
    expect((await observe({ signal: AbortSignal.timeout(500) })).error?.code).toBe('TIMEOUT')
    expect(await session.picture('p1', 50, AbortSignal.timeout(500))).toBeNull()
    expect((await take(session, { openPage: { url: `${site.url}/form` } })).error).toBeNull()
    expect((await take(session, { closePage: { timeoutMs: WAIT_LIMITS.timeout } }, { pageId: 'p1' })).error).toBeNull()
  })

  test('a browser that was stopped', async () => {
    await open('/form')
    await freezeProcesses(...testPool.processes())
    const click = await take(session, { click: { target: { css: 'button' } } }, { signal: AbortSignal.timeout(500) })
    expect(click.error?.code).toBe('TIMEOUT')
    expect((await observe({ signal: AbortSignal.timeout(300) })).error?.code).toBe('TIMEOUT')
  })

  test('a page that crashes or closes meanwhile', async () => {
    await open('/form')
    const waiting = take(session, { wait: { target: { css: '#never' } } })
    await take(session, { evaluate: { expression: 'void 0' } })
    await take(session, { closePage: {} })
    expect((await waiting).error?.code).toBe('PAGE_CLOSED')
    expect((await take(session, { reload: {} })).error?.code).toBe('PAGE_CLOSED')
    await take(session, { openPage: { url: `${site.url}/form` } })
    const evaluating = take(session, { evaluate: { expression: 'new Promise(() => {})' } })
    for (const pid of testPool.browsers()) process.kill(pid, 'SIGKILL')
    expect((await evaluating).error?.code).toBe('PAGE_CLOSED')
  })

  test('a page that crashed before anything was done with it leaves the others alone', async () => {
    await session.open(`${site.url}/form`, NO_DEADLINE)
    const isRenderer = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('--type=renderer')
    for (const pid of testPool.processes().filter(isRenderer)) process.kill(pid, 'SIGKILL')
    await expect.poll(() => recorder.drafts.some(({ kind }) => kind === 'PAGE_CRASHED')).toBe(true)
    const opened = await take(session, { openPage: { url: `${site.url}/form` } })
    expect(opened).toMatchObject({ error: null, pageId: 'p2' })
    expect(await take(session, { extract: { target: { css: 'h1' } } }, { pageId: 'p2' })).toMatchObject({
      error: null,
      result: 'Sign in',
    })
  })

  test('a popup can be acted on as soon as it is told', async () => {
    await open('/form')
    await take(session, { evaluate: { expression: "void setTimeout(() => window.open('/moves'), 100)" } })
    await expect.poll(() => session.pages().length, { interval: 1 }).toBe(2)
    expect((await take(session, { wait: { target: { css: '#next' } } }, { pageId: 'p2' })).error).toBeNull()
  })

  test('a page that crashed says so, and how to go on, for as long as it is there', async () => {
    await open('/form')
    const isRenderer = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('--type=renderer')
    for (const pid of testPool.processes().filter(isRenderer)) process.kill(pid, 'SIGKILL')
    await expect.poll(() => recorder.drafts.some(({ kind }) => kind === 'PAGE_CRASHED')).toBe(true)
    for (const given of [{ click: { target: { css: 'a' } } }, { navigate: { url: `${site.url}/form` } }]) {
      const { error } = await take(session, given)
      expect(error).toMatchObject({ code: 'PAGE_CLOSED', message: expect.stringMatching(/crashed.*open another/) })
    }
    expect((await observe()).error).toMatchObject({ code: 'PAGE_CLOSED', message: expect.stringMatching(/crashed/) })
    expect((await take(session, { openPage: { url: `${site.url}/form` } })).error).toBeNull()
    expect((await take(session, { closePage: {} }, { pageId: 'p1' })).error).toBeNull()
  })

  test('a caller who does not wait', async () => {
    await open('/form')
    const leaving = new AbortController()
    const waiting = take(session, { wait: { timeMs: 60_000, timeoutMs: 60_000 } }, { signal: leaving.signal })
    leaving.abort()
    expect((await waiting).error).not.toBeNull()
  })
})
