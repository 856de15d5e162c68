import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import WebSocket from 'ws'
import { actionApi } from '../support/action-api.ts'
import { leakGate } from '../support/leak-gate.ts'
import { sessionApi } from '../support/session-api.ts'
import { startLiveSite, type LiveSite } from '../support/site-live.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'

leakGate()

let site: LiveSite
let tabwire: TestApp
/** A page that tells what a picture shows. */
let looker: string
const { start, terminate } = sessionApi(() => tabwire)
const { run } = actionApi(() => tabwire)

beforeAll(async () => {
  site = await startLiveSite()
  tabwire = await startTestApp({ warmBrowsers: 1, maxSessions: 20 })
  looker = (await start({ keepAlive: true })).id
})

afterAll(async () => {
  await tabwire.close()
  await site.close()
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
  (await start({ initialPrompt: `${site.url}${path}`, viewport }, 'LOADED')).id

/** Frames over WebSocket, errors thrown. Leaving the loop unsubscribes. */
async function* watch(id: string, options: object = {}, apiKey?: string): AsyncGenerator<Frame> {
  const variables = { id, maxWidth: 320, ...options }
  for await (const answer of tabwire.client(apiKey).iterate<{ screencast: Frame }>({ query: SCREENCAST, variables })) {
    if (answer.errors) throw new Error(JSON.stringify(answer.errors))
    yield answer.data!.screencast
  }
}

async function refusal(variables: object, apiKey?: string): Promise<{ code: string; issues?: { path: string[] }[] }> {
  for await (const { errors } of tabwire.client(apiKey).iterate({ query: SCREENCAST, variables: { ...variables } })) {
    return errors![0]!.extensions as { code: string }
  }
  throw new Error('it was not refused')
}

/** The colour in the middle of a picture: a letter for each of red, green and blue that is in it. */
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

/** The first frame that shows the colour. */
async function until(frames: AsyncIterator<Frame>, colour: string): Promise<Frame> {
  for (;;) {
    const { value, done } = await frames.next()
    if (done) throw new Error('the picture ended')
    if ((await colourOf(value as Frame)).endsWith(` ${colour}`)) return value as Frame
  }
}

test('the first frame of a page that stands still is there at once', async () => {
  const id = await open('/red')
  const frames = watch(id)
  const { value: frame } = (await frames.next()) as { value: Frame }
  expect(frame).toMatchObject({ pageId: 'p1', width: 320, height: 200, viewport: VIEWPORT, skipped: 0 })
  expect(Math.abs(Date.now() - Date.parse(frame.at))).toBeLessThan(60_000)
  expect(await colourOf(frame)).toBe('320x200 r')
  // One who comes later sees the same, in the size that was asked for.
  const others = watch(id, { maxWidth: null, maxHeight: 100 })
  const { value: other } = (await others.next()) as { value: Frame }
  expect(await colourOf(other)).toBe('160x100 r')
  const whole = watch(id, { maxWidth: null })
  const { value: large } = (await whole.next()) as { value: Frame }
  expect(await colourOf(large)).toBe('640x400 r')
  for (const reader of [frames, others, whole]) await reader.return(undefined)
  await terminate(id)
})
