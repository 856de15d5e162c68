import { chromium } from 'playwright'
import { beforeAll, expect, test, vi } from 'vitest'
import WebSocket from 'ws'
import { actionApi } from '../support/action-api.ts'
import { WAIT_LIMITS } from '../support/time-limits.ts'
import { startLiveSite } from '../support/site-live.ts'
import { withApp } from '../support/with-app.ts'

const { tabwire, site, start, terminate } = withApp(startLiveSite, { maxSessions: 20 })
const { run } = actionApi(tabwire)
/** A page that identifies the content of a frame. */
let looker: string

beforeAll(async () => {
  looker = (await start({ keepAlive: true })).id
})

interface Frame {
  at: string
  pageId: string
  data: string
  width: number
  height: number
  viewport: { width: number; height: number }
  skipped: number
}

const FRAME = 'at pageId data width height viewport { width height } skipped'
const SCREENCAST = `subscription ($id: ID!, $pageId: ID, $maxWidth: Int, $maxHeight: Int, $quality: Int, $maxFps: Int) {
  screencast(sessionId: $id, pageId: $pageId, maxWidth: $maxWidth, maxHeight: $maxHeight, quality: $quality, maxFps: $maxFps) { ${FRAME} } }`

const VIEWPORT = { width: 640, height: 400 }
const open = async (path: string, viewport = VIEWPORT) =>
  (await start({ initialPrompt: `${site().url}${path}`, viewport }, 'LOADED')).id

/** Frames over WebSocket, errors thrown. Leaving the loop unsubscribes. */
async function* watch(id: string, options: object = {}, apiKey?: string): AsyncGenerator<Frame> {
  const variables = { id, maxWidth: 320, ...options }
  for await (const answer of tabwire()
    .client(apiKey)
    .iterate<{ screencast: Frame }>({ query: SCREENCAST, variables })) {
    if (answer.errors) throw new Error(JSON.stringify(answer.errors))
    yield answer.data!.screencast
  }
}

async function refusal(variables: object, apiKey?: string): Promise<{ code: string; issues?: { path: string[] }[] }> {
  for await (const { errors } of tabwire()
    .client(apiKey)
    .iterate({ query: SCREENCAST, variables: { ...variables } })) {
    return errors![0]!.extensions as { code: string }
  }
  throw new Error('it was not refused')
}

/** Color at the center of a frame: a letter for each of red, green and blue in it. */
async function colourOf({ data }: Frame): Promise<string> {
  const expression = `async (data) => {
    const image = new Image()
    image.src = 'data:image/jpeg;base64,' + data
    await image.decode()
    const canvas = new OffscreenCanvas(image.width, image.height)
    canvas.getContext('2d').drawImage(image, 0, 0)
    const [r, g, b] = canvas.getContext('2d').getImageData(image.width / 2, image.height / 2, 1, 1).data
    return [image.width + 'x' + image.height, (r > 200 ? 'r' : '') + (g > 200 ? 'g' : '') + (b > 200 ? 'b' : '')].join(' ')
  }`
  const [action] = await run(looker, [{ evaluate: { expression, arg: data } }])
  return String(action!.result)
}

async function evaluate(id: string, expression: string, pageId: string | null = null): Promise<unknown> {
  const [action] = await run(id, [{ evaluate: { expression } }], pageId)
  expect(action!.error).toBeNull()
  return action!.result
}

/** The first frame with that color. */
async function until(frames: AsyncIterator<Frame>, colour: string): Promise<Frame> {
  for (;;) {
    const { value, done } = await frames.next()
    if (done) throw new Error('the picture ended')
    if ((await colourOf(value)).endsWith(` ${colour}`)) return value
  }
}

test('the first frame of a page that stands still is there at once', async () => {
  const id = await open('/red')
  const frames = watch(id)
  const { value: frame } = (await frames.next()) as { value: Frame }
  expect(frame).toMatchObject({ pageId: 'p1', width: 320, height: 200, viewport: VIEWPORT, skipped: 0 })
  expect(Math.abs(Date.now() - Date.parse(frame.at))).toBeLessThan(60_000)
  expect(await colourOf(frame)).toBe('320x200 r')
  // A late viewer sees the same, in the requested size.
  const others = watch(id, { maxWidth: null, maxHeight: 100 })
  const { value: other } = (await others.next()) as { value: Frame }
  expect(await colourOf(other)).toBe('160x100 r')
  const whole = watch(id, { maxWidth: null })
  const { value: large } = (await whole.next()) as { value: Frame }
  expect(await colourOf(large)).toBe('640x400 r')
  for (const reader of [frames, others, whole]) await reader.return(undefined)
  await terminate(id)
})

test('frames follow what the page does, as many as were asked for', async () => {
  const id = await open('/animation')
  const many = watch(id, { maxFps: 60 })
  const few = watch(id, { maxFps: 2 })
  let counted = 0
  let isOver = false
  const counting = (async () => {
    while (!isOver && !(await many.next()).done) counted += 1
    await many.return(undefined)
  })()
  const slow: Frame[] = []
  for await (const frame of few) if (slow.push(frame) === 5) break
  isOver = true
  await counting
  // Four intervals of 500 ms, in each of which a frame may be up to that old. How many the other gets depends on the machine.
  const [first, last] = [slow[0]!, slow[4]!].map(({ at }) => Date.parse(at))
  expect(last! - first!).toBeGreaterThan(1_000)
  expect(counted).toBeGreaterThanOrEqual(slow.length)
  expect(new Set(slow.map(({ data }) => data)).size).toBe(5)
  // Frames skipped by maxFps do not count as dropped.
  expect(slow.map(({ skipped }) => skipped)).toEqual([0, 0, 0, 0, 0])
  await terminate(id)
})

test('the last change is seen, however few frames were asked for', async () => {
  const id = await open('/animation')
  const frames = watch(id, { maxFps: 1, maxWidth: 100 })
  await frames.next()
  // Far more frames than the browser sends without acknowledgment, and then the page stops changing.
  await evaluate(
    id,
    `new Promise((done) => setTimeout(() => {
    window.requestAnimationFrame = () => {}
    c.remove()
    document.body.style.background = '#00f'
    done()
  }, 500))`,
  )
  expect(await colourOf(await until(frames, 'b'))).toMatch(/ b$/)
  await frames.return(undefined)
  await terminate(id)
})

test('a reader that does not read gets the newest frame, and is told how many it missed', async () => {
  const id = await open('/noise', { width: 1000, height: 600 })
  const socket = new WebSocket(`${tabwire().url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws')
  const frames: Frame[] = []
  socket.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString()) as { type: string; payload?: { data: { screencast: Frame } } }
    if (message.type === 'connection_ack') {
      const payload = { query: SCREENCAST, variables: { id, quality: 100, maxFps: 60 } }
      socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload }))
    }
    if (message.type === 'next') frames.push(message.payload!.data.screencast)
  })
  socket.once('open', () => {
    socket.send(JSON.stringify({ type: 'connection_init', payload: { 'X-API-Key': tabwire().apiKey } }))
  })
  await expect.poll(() => frames.length).toBeGreaterThan(0)
  socket.pause()
  const before = Number(await evaluate(id, 'n'))
  const after = async () => Number(await evaluate(id, 'n'))
  await expect.poll(after, { timeout: 60_000, interval: 250 }).toBeGreaterThan(before + 60)
  await evaluate(
    id,
    'new Promise((done) => { enough = true; requestAnimationFrame(() => requestAnimationFrame(done)) })',
  )
  socket.resume()
  await vi.waitFor(async () => expect(await colourOf(frames.at(-1)!)).toMatch(/ g$/), { interval: 250, ...WAIT_LIMITS })
  expect(Math.max(...frames.map(({ skipped }) => skipped))).toBeGreaterThan(0)
  // Nothing is queued for it beyond the sockets' buffers.
  expect(frames.length).toBeLessThan(60)
  socket.terminate()
  await terminate(id)
})

test('it goes on over navigations, to other sites too', async () => {
  const id = await open('/red')
  const frames = watch(id)
  await until(frames, 'r')
  await run(id, [{ navigate: { url: `${site().url}/blue` } }])
  expect((await until(frames, 'b')).pageId).toBe('p1')
  await run(id, [{ navigate: { url: `${site().url.replace('127.0.0.1', 'localhost')}/red` } }])
  expect((await until(frames, 'r')).pageId).toBe('p1')
  await frames.return(undefined)
  await terminate(id)
})

test('it begins however the page is changing', async () => {
  const id = await open('/red')
  // Each site has a process of its own, and between two there is a moment without frames.
  const sites = [site().url.replace('127.0.0.1', 'localhost'), site().url]
  let isOver = false
  const changing = (async () => {
    for (let n = 0; !isOver; n += 1) await run(id, [{ navigate: { url: `${sites[n % 2]}/blue` } }])
  })()
  // Each quality has a cast of its own.
  for (let quality = 1; quality <= 40; quality += 1) {
    const frames = watch(id, { quality })
    expect((await frames.next()).done).toBe(false)
    await frames.return(undefined)
  }
  isOver = true
  await changing
  await terminate(id)
})

test('it goes on when a page that crashed loads anew, also for who came in between', async () => {
  const id = await open('/red')
  const frames = watch(id)
  await until(frames, 'r')
  const { session } = await tabwire().query<{ session: { access: { cdpUrl: string } } }>(
    'query ($id: ID!) { session(id: $id) { access { cdpUrl } } }',
    { id },
  )
  const client = await chromium.connectOverCDP(session.access.cdpUrl)
  const page = client.contexts()[0]!.pages()[0]!
  const crashed = page.waitForEvent('crash')
  const cdp = await client.contexts()[0]!.newCDPSession(page)
  cdp.send('Page.crash').catch(() => {})
  await crashed
  const late = watch(id, { quality: 20 })
  const lateFrame = until(late, 'b')
  await cdp.send('Page.navigate', { url: `${site().url}/blue` })
  expect([(await until(frames, 'b')).pageId, (await lateFrame).pageId]).toEqual(['p1', 'p1'])
  await client.close()
  for (const reader of [frames, late]) await reader.return(undefined)
  await terminate(id)
})

test('it follows the page in front', async () => {
  const id = await open('/red')
  const frames = watch(id)
  expect((await until(frames, 'r')).pageId).toBe('p1')
  await run(id, [{ openPage: { url: `${site().url}/blue` } }])
  expect((await until(frames, 'b')).pageId).toBe('p2')
  await run(id, [{ closePage: {} }], 'p2')
  expect((await until(frames, 'r')).pageId).toBe('p1')
  // Without any page it waits for one.
  await run(id, [{ closePage: {} }, { openPage: { url: `${site().url}/blue` } }], 'p1')
  expect((await until(frames, 'b')).pageId).toBe('p3')
  await frames.return(undefined)
  await terminate(id)
})

test('one that was asked for stays, and the picture ends with it', async () => {
  const id = await open('/red')
  await run(id, [{ openPage: { url: `${site().url}/blue` } }])
  const frames = watch(id, { pageId: 'p1' })
  expect((await until(frames, 'r')).pageId).toBe('p1')
  await run(id, [{ closePage: {} }], 'p1')
  while (!(await frames.next()).done);
  await terminate(id)
})

test('a page that hangs is shown', async () => {
  const id = await open('/blue')
  const frames = watch(id)
  await until(frames, 'b')
  await evaluate(id, 'void setTimeout(() => { for (;;); }, 300)')
  const asking = async () => (await run(id, [{ evaluate: { expression: '1', timeoutMs: 1_000 } }]))[0]!.error?.code
  await expect.poll(() => asking()).toBe('TIMEOUT')
  const others = watch(id, { quality: 20 })
  await until(others, 'b')
  for (const reader of [frames, others]) await reader.return(undefined)
  await terminate(id)
})

test('a dialog waits on when a reader leaves', async () => {
  const id = await open('/confirm')
  const frames = watch(id)
  await frames.next()
  // A step that opens a dialog is done, and leaves the dialog to a later one.
  const [clicked] = await run(id, [{ click: { target: { css: 'button' } } }])
  expect(clicked!.details['dialog']).toMatchObject({ message: 'Sure?' })
  await frames.return(undefined)
  const [answered] = await run(id, [{ dialog: { accept: true } }])
  expect(answered!.details['dialog']).toMatchObject({ message: 'Sure?' })
  expect(await evaluate(id, `document.querySelector('button').textContent`)).toBe('true')
  await terminate(id)
})

test('it ends when the session does', async () => {
  const id = await open('/animation')
  const frames = watch(id)
  await frames.next()
  const ending = terminate(id)
  while (!(await frames.next()).done);
  await ending
  expect(await refusal({ id })).toMatchObject({ code: 'SESSION_NOT_RUNNING' })
})

test('it waits for a session that is only being created', async () => {
  const { id } = await start({ initialPrompt: `${site().url}/red`, viewport: VIEWPORT }, 'CREATING')
  const frames = watch(id)
  expect((await until(frames, 'r')).pageId).toBe('p1')
  await frames.return(undefined)
  await terminate(id)
})

test('what cannot be is refused, every rule at once', async () => {
  const id = await open('/red')
  const bad = await refusal({ id, maxWidth: 1, maxHeight: 100_000, quality: 0, maxFps: 61 })
  expect(bad.code).toBe('BAD_USER_INPUT')
  expect(bad.issues!.map(({ path }) => path.join('.')).toSorted()).toEqual([
    'maxFps',
    'maxHeight',
    'maxWidth',
    'quality',
  ])
  expect(await refusal({ id, pageId: 'p9' })).toMatchObject({ code: 'NOT_FOUND' })
  expect(await refusal({ id: 'nonsense' })).toMatchObject({ code: 'NOT_FOUND' })
  const create = 'mutation { createApiKey(input: { name: "b", owner: "bob", scopes: [READ, WRITE] }) { secret } }'
  const { createApiKey } = await tabwire().query<{ createApiKey: { secret: string } }>(create)
  expect(await refusal({ id }, createApiKey.secret)).toMatchObject({ code: 'NOT_FOUND' })
  await terminate(id)
})
