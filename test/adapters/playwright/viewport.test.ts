import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { BrowserSession } from '../../../src/ports/browser/browser.ts'
import { take } from '../../support/take-steps.ts'
import { startTestPool, type TestPool } from './test-pool.ts'

let pool: TestPool
let session: BrowserSession
/** Responses that pages wait for. */
let held: { path: string; response: ServerResponse }[] = []

/** On a signal the page blocks, with everything else in it; /loop forever. */
const HANGING = `<script>
  function hold() {
    if (location.pathname === '/loop') for (;;);
    const asking = new XMLHttpRequest()
    asking.open('GET', '/held', false)
    asking.send()
  }
  fetch('/start').then(hold, () => {})
</script>`

const site = createServer((request, response) => {
  const path = request.url ?? ''
  if (path === '/held' || path === '/start') return void held.push({ path, response })
  response.writeHead(200, { 'content-type': 'text/html' }).end(path === '/' ? '' : HANGING)
})

beforeAll(async () => {
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve))
  pool = await startTestPool({ warm: 0 })
})

afterAll(async () => {
  await pool.close()
  site.closeAllConnections()
  site.close()
})

beforeEach(async () => {
  held = []
  ;({ session } = await pool.start())
})

afterEach(() => session.close(1_000))

const url = (path: string) => `http://127.0.0.1:${(site.address() as AddressInfo).port}${path}`
const sizeOf = async (pageId: string) =>
  (await take(session, { evaluate: { expression: '[innerWidth, innerHeight]' } }, { pageId })).result

/** p1 will hang, p2 will not. */
async function openPages(path: string): Promise<void> {
  await take(session, { navigate: { url: url(path) } })
  await take(session, { openPage: { url: url('/') } })
}

/** Responds to the requests that pages wait for. */
async function answer(path: string): Promise<void> {
  const waiting = () => held.filter((one) => one.path === path)
  await expect.poll(() => waiting().length).toBeGreaterThan(0)
  for (const { response } of waiting()) response.end()
  held = held.filter((one) => one.path !== path)
}

async function isHeld(): Promise<void> {
  await expect.poll(() => held.some(({ path }) => path === '/held')).toBe(true)
}

test('a page that hangs takes it when it answers again; all others take it at once, and new ones have it', async () => {
  await openPages('/hanging')
  await answer('/start')
  await isHeld()
  await session.setViewport({ width: 800, height: 600 })
  expect(await sizeOf('p2')).toEqual([800, 600])
  await take(session, { openPage: { url: url('/') } })
  expect(await sizeOf('p3')).toEqual([800, 600])
  await answer('/held')
  expect(await sizeOf('p1')).toEqual([800, 600])
})

test('the last of several is the one that a page takes which hung meanwhile, even if it is the first one again', async () => {
  await openPages('/hanging')
  await session.setViewport({ width: 640, height: 480 })
  await answer('/start')
  await isHeld()
  await session.setViewport({ width: 800, height: 600 })
  await session.setViewport({ width: 640, height: 480 })
  expect(await sizeOf('p2')).toEqual([640, 480])
  await answer('/held')
  await expect.poll(() => sizeOf('p1')).toEqual([640, 480])
})

test('a page that hangs for good has it where it goes next', async () => {
  await openPages('/loop')
  await answer('/start')
  await session.setViewport({ width: 800, height: 600 })
  expect(await sizeOf('p2')).toEqual([800, 600])
  const next = url('/').replace('127.0.0.1', 'localhost')
  expect((await take(session, { navigate: { url: next } }, { pageId: 'p1' })).error).toBeNull()
  expect(await sizeOf('p1')).toEqual([800, 600])
})
