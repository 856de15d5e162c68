import { chromium } from 'playwright'
import puppeteer from 'puppeteer-core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { actionApi } from '../support/action-api.ts'
import { leakGate } from '../support/leak-gate.ts'
import { sessionApi } from '../support/session-api.ts'
import { startLiveSite, type LiveSite } from '../support/site-live.ts'
import { startTestApp, type Answer, type TestApp } from '../support/start-app.ts'

leakGate()

let site: LiveSite
let tabwire: TestApp
const { start, get, terminate } = sessionApi(() => tabwire)
const { run, logged } = actionApi(() => tabwire)

beforeAll(async () => {
  site = await startLiveSite()
  tabwire = await startTestApp({ warmBrowsers: 1, maxSessions: 20 })
})

afterAll(async () => {
  await tabwire.close()
  await site.close()
})

const DISPATCH = `mutation ($id: ID!, $pageId: ID, $events: [InputEvent!]!) {
  dispatchInput(sessionId: $id, pageId: $pageId, events: $events) }`

type Events = Record<string, object>[]
type Dispatched = { dispatchInput: boolean }

const tryDispatch = (id: string, events: unknown, apiKey?: string): Promise<Answer<Dispatched>> =>
  tabwire.send(DISPATCH, { id, events }, apiKey ?? tabwire.apiKey)

const dispatch = async (id: string, events: Events, pageId: string | null = null): Promise<boolean> =>
  (await tabwire.query<Dispatched>(DISPATCH, { id, events, pageId })).dispatchInput

const open = async (path: string, more: object = {}) =>
  (await start({ initialPrompt: `${site.url}${path}`, viewport: { width: 800, height: 600 }, ...more }, 'LOADED')).id

async function evaluate<T>(id: string, expression: string, pageId: string | null = null): Promise<T> {
  const [action] = await run(id, [{ evaluate: { expression } }], pageId)
  expect(action!.error).toBeNull()
  return action!.result as T
}

/** Before a page has been rendered, no input can hit anything on it. */
async function untilDrawn(id: string, pageId: string, path: string): Promise<void> {
  const isThere = async () => (await get(id))!.pages.some((page) => page.id === pageId && page.url === site.url + path)
  await expect.poll(() => isThere()).toBe(true)
  await evaluate(id, 'new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))', pageId)
}

const mouse = (type: string, x: number, y: number, more: object = {}) => ({ mouse: { type, x, y, ...more } })
const click = (x: number, y: number, more: object = {}) => [mouse('DOWN', x, y, more), mouse('UP', x, y, more)]
const key = (type: string, name: string, more: object = {}) => ({ key: { type, key: name, ...more } })
const touch = (type: string, ...points: object[]) => ({ touch: { type, points } })

describe('what a person does reaches the page', () => {
  let id: string
  /** Events received by the page since the last call. */
  const seen = () => evaluate<string[]>(id, 'seen.splice(0)')
  const field = () => evaluate<string>(id, 'field.value')

  beforeAll(async () => {
    id = await open('/input')
  })

  afterAll(async () => {
    await terminate(id)
  })

  beforeEach(async () => {
    await evaluate(id, `scrollTo(0, 0); field.value = ''; field.blur(); seen.length = 0`)
  })

  test('the mouse: where it is, which button, which click, what is held', async () => {
    expect(await dispatch(id, [mouse('MOVE', 10, 210), ...click(10, 210)])).toBe(true)
    expect(await seen()).toEqual(['mousemove 10,10 0/0', 'mousedown 10,10 0/1', 'mouseup 10,10 0/0', 'click 10,10 0/0'])
    await dispatch(id, [...click(20, 220), ...click(20, 220, { clickCount: 2 })])
    expect((await seen()).at(-1)).toBe('dblclick 20,20 0/0')
    await dispatch(id, click(30, 230, { button: 'RIGHT' }))
    expect(await seen()).toEqual(['mousedown 30,30 2/2', 'contextmenu 30,30 2/2', 'mouseup 30,30 2/0'])
    await dispatch(id, click(30, 230, { modifiers: ['SHIFT', 'CONTROL'] }))
    expect((await seen()).at(-1)).toBe('click 30,30 0/0+ctrl+shift')
  })

  test('a button that is held while the mouse moves, over several calls', async () => {
    await dispatch(id, [mouse('DOWN', 10, 210)])
    await dispatch(id, [mouse('MOVE', 50, 250)])
    await dispatch(id, [mouse('UP', 60, 260), mouse('MOVE', 70, 270)])
    expect((await seen()).filter((one) => one.startsWith('mousemove'))).toEqual([
      'mousemove 50,50 0/1',
      'mousemove 70,70 0/0',
    ])
  })

  test('the wheel', async () => {
    await dispatch(id, [{ wheel: { x: 400, y: 300, deltaY: 700 } }])
    await expect.poll(() => evaluate(id, 'scrollY')).toBe(700)
  })

  test('keys', async () => {
    await dispatch(id, [...click(20, 20), key('DOWN', 'a'), key('UP', 'a'), key('DOWN', 'Enter'), key('UP', 'Enter')])
    expect(await seen()).toEqual([
      'keydown a KeyA 65 0',
      'keypress a KeyA 97 0',
      'keyup a KeyA 65 0',
      'keydown Enter Enter 13 0',
      'keypress Enter Enter 13 0',
      'keyup Enter Enter 13 0',
    ])
    expect(await field()).toBe('a\n')
    // The text of a key depends on the layout, its physical location does not.
    const [held, z] = [
      { modifiers: ['SHIFT'], code: 'ShiftRight' },
      { modifiers: ['SHIFT'], code: 'KeyY' },
    ]
    await dispatch(id, [key('DOWN', 'Shift', held), key('DOWN', 'Z', z), key('UP', 'Z', z), key('UP', 'Shift')])
    expect(await seen()).toEqual([
      'keydown Shift ShiftRight 16 2+shift',
      'keydown Z KeyY 89 0+shift',
      'keypress Z KeyY 90 0+shift',
      'keyup Z KeyY 89 0+shift',
      'keyup Shift ShiftLeft 16 1',
    ])
    const all = { modifiers: ['CONTROL'] }
    await dispatch(id, [key('DOWN', 'a', all), key('UP', 'a', all), key('DOWN', 'Delete'), key('UP', 'Delete')])
    expect(await field()).toBe('')
  })

  test('a text that is typed, in order, whatever is in it', async () => {
    const text = 'Grüße, "World" 100 % – 漢字 👋🏽\nnext [line]'
    expect(await dispatch(id, [...click(20, 20), { text: { text } }, key('DOWN', '!')])).toBe(true)
    expect(await field()).toBe(`${text}!`)
    const received = await seen()
    expect(received.slice(0, 3)).toEqual(['keydown G KeyG 71 0', 'keypress G KeyG 71 0', 'keyup G KeyG 71 0'])
  })

  test('a text that is pasted', async () => {
    await dispatch(id, [...click(20, 20), { paste: { text: 'pasted "text"\n' } }])
    expect(await seen()).toEqual([expect.stringMatching(/^paste pasted "text"/)])
    expect(await field()).toBe('pasted "text"\n')
    // A page that handles the event itself gets the text once.
    await dispatch(id, [...click(510, 10), { paste: { text: 'x'.repeat(100_000) } }])
    expect(await evaluate(id, 'picky.value')).toBe('got 100000')
  })

  test('fingers', async () => {
    await dispatch(id, [
      touch('START', { x: 10, y: 210 }),
      touch('START', { x: 10, y: 210 }, { x: 50, y: 250, id: 1 }),
      touch('MOVE', { x: 20, y: 220 }, { x: 60, y: 260, id: 1 }),
      touch('END'),
      touch('START', { x: 10, y: 210 }),
      { touch: { type: 'CANCEL' } },
    ])
    expect(await seen()).toEqual([
      'touchstart 0:10,210',
      'touchstart 0:10,210 1:50,250',
      'touchmove 0:20,220 1:60,260',
      expect.stringMatching(/^touchend/),
      'touchend ',
      'touchstart 0:10,210',
      'touchcancel ',
    ])
    // Lifting a finger that was never down is not an error.
    expect(await dispatch(id, [touch('END'), ...click(10, 210)])).toBe(true)
    expect((await seen()).at(-1)).toBe('click 10,10 0/0')
  })

  test('a finger that taps, and one that draws the page along', async () => {
    await dispatch(id, [touch('START', { x: 10, y: 210 }), touch('END')])
    // Emulated mouse events follow, as on any touch screen.
    const tapped = async () => (await evaluate<string[]>(id, 'seen')).filter((one) => !one.startsWith('mousemove'))
    const mouseEvents = ['mousedown 10,10 0/1', 'mouseup 10,10 0/0', 'click 10,10 0/0']
    await expect.poll(tapped).toEqual(['touchstart 0:10,210', 'touchend ', ...mouseEvents])
    const [from, to] = [500, 200]
    const moves = Array.from({ length: 15 }, (_, step) =>
      touch('MOVE', { x: 400, y: from - ((step + 1) * (from - to)) / 15 }),
    )
    // The page keeps scrolling for a while, which would affect the next test.
    await evaluate(id, `void (rested = new Promise((rest) => addEventListener('scrollend', rest, { once: true })))`)
    await dispatch(id, [touch('START', { x: 400, y: from }), ...moves, touch('END')])
    await evaluate(id, 'rested.then(() => undefined)')
    expect(await evaluate(id, 'scrollY')).toBeGreaterThan(200)
  })

  test('calls at the same time do not mix', async () => {
    await dispatch(id, click(20, 20))
    // Each change between keys and untypable text requires a response of the page.
    const texts = ['aä', 'oö', 'uü'].map((pair) => pair.repeat(5))
    await Promise.all(texts.map((text) => dispatch(id, [{ text: { text } }])))
    expect(await field()).toMatch(/^(?:(?:aä){5}|(?:oö){5}|(?:uü){5}){3}$/)
  })

  test('no word of it stands in the log', async () => {
    expect((await logged(id)).every(({ type }) => type === 'EVALUATE')).toBe(true)
  })
})

describe('something that can be dragged', () => {
  const dragged = [
    mouse('MOVE', 50, 50),
    mouse('DOWN', 50, 50),
    mouse('MOVE', 60, 60),
    mouse('MOVE', 450, 350),
    mouse('UP', 450, 350),
  ]
  const whole = ['dragstart', 'dragenter', 'dragover', 'drop the thing', 'dragend']
  const seen = (id: string) => evaluate<string[]>(id, 'seen.splice(0)')

  test('is dropped where the button is let go, in one call or one for each step', async () => {
    const id = await open('/drag')
    await dispatch(id, dragged)
    expect(await seen(id)).toEqual(whole)
    for (const event of dragged) await dispatch(id, [event])
    expect(await seen(id)).toEqual(whole)
    // Regardless of the speed of the gesture.
    await dispatch(id, [mouse('DOWN', 50, 50), mouse('MOVE', 450, 350), mouse('UP', 450, 350)])
    expect(await seen(id)).toEqual(whole)
    await dispatch(id, [mouse('DOWN', 50, 50), mouse('MOVE', 60, 60), mouse('UP', 450, 350)])
    expect(await seen(id)).toEqual(whole)
    await terminate(id)
  })

  test('is let go where nothing can be dropped, or by Escape, and the mouse is a mouse again', async () => {
    const id = await open('/drag')
    const back = ['dragstart', 'dragend']
    await dispatch(id, [mouse('DOWN', 50, 50), mouse('MOVE', 60, 60), mouse('MOVE', 700, 50), mouse('UP', 700, 50)])
    expect(await seen(id)).toEqual(back)
    await dispatch(id, [...dragged.slice(0, 4), key('DOWN', 'Escape'), key('UP', 'Escape'), mouse('UP', 450, 350)])
    expect(await seen(id)).toEqual(['dragstart', 'dragenter', 'dragend'])
    // A button that was never released is released when it goes down again.
    await dispatch(id, dragged.slice(0, 3))
    await dispatch(id, dragged)
    expect(await seen(id)).toEqual([...back, ...whole])
    await evaluate(id, `place.addEventListener('click', () => seen.push('click'))`)
    await dispatch(id, click(450, 350))
    expect(await seen(id)).toEqual(['click'])
    await terminate(id)
  })

  test('is dragged by a person and by clients in turn, each in its own way', async () => {
    const id = await open('/drag')
    const { session } = await tabwire.query<{ session: { access: { cdpUrl: string } } }>(
      'query ($id: ID!) { session(id: $id) { access { cdpUrl } } }',
      { id },
    )
    const browser = await chromium.connectOverCDP(session.access.cdpUrl)
    const puppet = await puppeteer.connect({ browserWSEndpoint: session.access.cdpUrl, defaultViewport: null })
    const [page] = browser.contexts()[0]!.pages()
    const [puppetPage] = await puppet.pages()
    await dispatch(id, dragged)
    expect(await seen(id)).toEqual(whole)
    await page!.dragAndDrop('#thing', '#place')
    expect(await seen(id)).toEqual(whole)
    await puppetPage!.mouse.move(50, 50)
    await puppetPage!.mouse.down()
    // The browser itself reports a new location only with the next move there.
    await puppetPage!.mouse.move(450, 350, { steps: 4 })
    await puppetPage!.mouse.move(451, 351)
    await puppetPage!.mouse.up()
    await expect.poll(() => evaluate(id, 'seen')).toEqual(whole)
    await evaluate(id, 'seen.length = 0')
    await dispatch(id, dragged)
    expect(await seen(id)).toEqual(whole)
    await puppet.disconnect()
    await browser.close()
    await terminate(id)
  })
})

describe('which page', () => {
  test('is the one in front unless another is named', async () => {
    const id = await open('/popup')
    await dispatch(id, click(20, 20))
    await untilDrawn(id, 'p2', '/blue')
    await evaluate(id, `addEventListener('click', () => { document.title = 'clicked' })`, 'p2')
    await dispatch(id, click(300, 300))
    await expect.poll(async () => (await get(id))!.pages[1]!.title).toBe('clicked')
    await dispatch(id, click(20, 20), 'p1')
    await expect.poll(async () => (await get(id))!.pages).toHaveLength(3)
    await terminate(id)
  })

  test('may close by what it is given', async () => {
    const id = await open('/popup')
    await run(id, [{ evaluate: { expression: `void window.open('/closing')` } }])
    await untilDrawn(id, 'p2', '/closing')
    expect(await dispatch(id, [...click(20, 20), ...click(20, 20)])).toBe(true)
    await expect.poll(async () => (await get(id))!.pages).toHaveLength(1)
    await terminate(id)
  })
})

test('a page that takes its time with each event gets all of them', async () => {
  const id = await open('/input')
  await evaluate(id, `document.querySelector('#field').focus()`)
  // Longer in all than one event may take, bounded each.
  const slow = `const until = performance.now() + 700; while (performance.now() < until);`
  await evaluate(id, `addEventListener('keydown', () => { ${slow} })`)
  const keys = Array.from('slowly', (letter) => [key('DOWN', letter), key('UP', letter)]).flat()
  expect(await dispatch(id, keys)).toBe(true)
  expect(await evaluate(id, `document.querySelector('#field').value`)).toBe('slowly')
  await terminate(id)
})

describe('a page that does not take it', () => {
  test('hangs, and the caller does not', async () => {
    const id = await open('/input')
    await evaluate(id, `surface.addEventListener('mousedown', () => { for (;;); })`)
    expect(await Promise.all([dispatch(id, click(20, 220)), dispatch(id, click(20, 220))])).toEqual([false, false])
    await terminate(id)
  })

  test('asks something first, and then takes it', async () => {
    const id = await open('/confirm')
    // Nothing answers it, so the dialog is dismissed.
    expect(await dispatch(id, [...click(20, 20), mouse('MOVE', 30, 30)])).toBe(true)
    expect(await evaluate(id, `document.querySelector('button').textContent`)).toBe('false')
    await terminate(id)
  })
})

test('it is activity', async () => {
  const id = await open('/red', { idleTimeoutSeconds: 600 })
  const before = Date.parse((await get(id))!.lastActivityAt)
  await dispatch(id, [mouse('MOVE', 10, 10)])
  await expect.poll(async () => Date.parse((await get(id))!.lastActivityAt)).toBeGreaterThan(before)
  await terminate(id)
})

describe('what cannot be', () => {
  const codeOf = ({ errors }: Answer<unknown>) => errors?.[0]?.extensions.code
  const keyOf = async (owner: string, scopes: string) => {
    const create = `mutation { createApiKey(input: { name: "k", owner: "${owner}", scopes: [${scopes}] }) { secret } }`
    return (await tabwire.query<{ createApiKey: { secret: string } }>(create)).createApiKey.secret
  }

  test('is refused with every rule that is broken', async () => {
    const id = await open('/red')
    const { errors } = await tryDispatch(id, [
      mouse('DOWN', 200_000, 1, { clickCount: 4 }),
      { wheel: { x: 1, y: 1 } },
      touch('START'),
      touch('END', { x: 1, y: 1 }),
      touch('MOVE', { x: 1, y: 1 }, { x: 2, y: 2 }),
      { text: { text: 'x'.repeat(1_001) } },
      { paste: { text: 'lone \ud800' } },
    ])
    const { code, issues } = errors![0]!.extensions
    expect(code).toBe('BAD_USER_INPUT')
    expect(issues!.map((issue) => [issue.path.join('.'), issue.code])).toEqual([
      ['events.0.mouse.x', 'OUT_OF_RANGE'],
      ['events.0.mouse.clickCount', 'OUT_OF_RANGE'],
      ['events.2.touch', 'REQUIRED'],
      ['events.3.touch', 'CONFLICT'],
      ['events.4.touch', 'CONFLICT'],
      ['events.5.text.text', 'TOO_LONG'],
      ['events.6.paste.text', 'INVALID_FORMAT'],
    ])
    for (const events of [[], Array.from({ length: 101 }, () => mouse('MOVE', 1, 1))]) {
      expect(codeOf(await tryDispatch(id, events))).toBe('BAD_USER_INPUT')
    }
    expect(codeOf(await tryDispatch(id, [{ ...mouse('MOVE', 1, 1), text: { text: 'a' } }]))).toBe('BAD_USER_INPUT')
    await terminate(id)
  })

  test('is what needs WRITE, another owner’s, a page or a session that is not there', async () => {
    const id = await open('/red')
    const events = [mouse('MOVE', 1, 1)]
    const { viewer } = await tabwire.query<{ viewer: { owner: string } }>('{ viewer { owner } }')
    expect(codeOf(await tryDispatch(id, events, await keyOf(viewer.owner, 'READ')))).toBe('FORBIDDEN')
    expect(codeOf(await tryDispatch(id, events, await keyOf('bob', 'READ, WRITE')))).toBe('NOT_FOUND')
    expect(codeOf(await tabwire.send(DISPATCH, { id, pageId: 'p9', events }))).toBe('NOT_FOUND')
    expect(codeOf(await tryDispatch('nonsense', events))).toBe('NOT_FOUND')
    await run(id, [{ closePage: {} }])
    expect(codeOf(await tryDispatch(id, events))).toBe('NOT_FOUND')
    await terminate(id)
    expect(codeOf(await tryDispatch(id, events))).toBe('SESSION_NOT_RUNNING')
  })
})
