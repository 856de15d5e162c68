import type { Page } from 'playwright'
import { describe, expect, test } from 'vitest'
import { sessionQuery } from '../support/dashboard-page.ts'
import { startLiveSite } from '../support/site-live.ts'
import { withDashboard } from '../support/with-dashboard.ts'

const { tabwire, site, start, terminate, openPage } = withDashboard(startLiveSite)
let page: Page

async function watch(path: string, options: object = {}): Promise<string> {
  const input = { initialPrompt: `${site().url}${path}`, viewport: { width: 800, height: 600 } }
  const { id } = await start(input, 'LOADED')
  page = (await openPage({ query: sessionQuery(id), ...options })).page
  return id
}

const liveView = () => page.getByRole('img', { name: /^Live view of/ })

/** Color at the center of the frame: red, green and blue from 0 to 255, rounded coarsely because of JPEG. */
const colour = () =>
  liveView().evaluate((element) => {
    const canvas = element as HTMLCanvasElement
    const copy = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true })!
    copy.drawImage(canvas, canvas.width / 2, canvas.height / 2, 1, 1, 0, 0, 1, 1)
    const { data } = copy.getImageData(0, 0, 1, 1)
    return Array.from(data.slice(0, 3), (part) => Math.round(part / 64) * 64).join()
  })

const run = <T>(id: string, action: object) =>
  tabwire().query<{ runActions: { result: T }[] }>(
    'mutation ($id: ID!, $actions: [ActionInput!]!) { runActions(sessionId: $id, actions: $actions) { result } }',
    { id, actions: [action] },
  )

const valueOf = async (id: string, expression: string) =>
  (await run<unknown>(id, { evaluate: { expression } })).runActions[0]!.result

/** Coordinates in the frame of a point on the page. */
async function at(x: number, y: number): Promise<[number, number]> {
  const box = (await liveView().boundingBox())!
  const scale = Math.min(box.width / 800, box.height / 600)
  return [box.x + (box.width - 800 * scale) / 2 + x * scale, box.y + (box.height - 600 * scale) / 2 + y * scale]
}

const takeOver = () => page.getByRole('button', { name: 'Take control' }).click()

test('the picture is there at once, and follows the page wherever it goes', async () => {
  const id = await watch('/red')
  await expect.poll(colour).toBe('256,0,0')
  await run(id, { navigate: { url: `${site().url}/blue` } })
  await expect.poll(colour).toBe('0,0,256')
  await run(id, { openPage: { url: `${site().url}/red` } })
  await expect.poll(colour).toBe('256,0,0')
  await page.getByLabel('Page shown').focus()
  await page.getByLabel('Page shown').locator('option').nth(2).waitFor({ state: 'attached' })
  await page.getByLabel('Page shown').selectOption({ index: 1 })
  await expect.poll(colour).toBe('0,0,256')
  await terminate(id)
  await liveView().waitFor({ state: 'detached' })
})

test('it costs nothing while nobody looks', async () => {
  await watch('/animation')
  const messages: string[] = []
  page.on('websocket', (socket) => {
    socket.on('framesent', ({ payload }) => messages.push(String(payload)))
  })
  await page.reload()
  await expect.poll(() => messages.filter((message) => message.includes('screencast')).length).toBe(1)
  const { id } = JSON.parse(messages.find((message) => message.includes('screencast'))!) as { id: string }
  await liveView().and(page.locator('[data-drawn=true]')).waitFor()
  await page.getByRole('button', { name: 'Hide live view' }).click()
  await expect
    .poll(() =>
      messages
        .filter((message) => message.includes(id))
        .map((message) => (JSON.parse(message) as { type: string }).type),
    )
    .toEqual(['subscribe', 'complete'])
  await page.reload()
  await page.getByRole('button', { name: 'Show live view' }).waitFor()
  expect(await liveView().count()).toBe(0)
})

test('whoever takes over has mouse, wheel and keyboard, and gives them back', async () => {
  const id = await watch('/input')
  await liveView().and(page.locator('[data-drawn=true]')).waitFor()
  // Viewing alone has no effect on the page.
  await page.mouse.click(...(await at(100, 50)))
  await takeOver()
  await page.mouse.click(...(await at(200, 300)))
  await expect
    .poll(() => valueOf(id, 'seen.find((line) => line.startsWith("click"))'))
    .toMatch(/^click (199|200|201),(99|100|101) /)
  expect(await valueOf(id, 'document.activeElement.id')).toBe('')

  await page.mouse.click(...(await at(100, 50)))
  await page.keyboard.type('Hello, page')
  await page.keyboard.press('Backspace')
  await expect.poll(() => valueOf(id, 'field.value')).toBe('Hello, pag')
  await page.keyboard.press('Control+a')
  await page.keyboard.type('é')
  await expect.poll(() => valueOf(id, 'field.value')).toBe('é')

  await page.mouse.move(...(await at(400, 500)))
  await page.mouse.wheel(0, 300)
  await expect.poll(() => valueOf(id, 'scrollY')).toBe(300)

  await page.keyboard.press('Shift+Escape')
  await page.getByRole('button', { name: 'Take control' }).waitFor()
  await page.keyboard.type('not for the page')
  // Later input would arrive after it there, too.
  await takeOver()
  await page.keyboard.type('!')
  await expect.poll(() => valueOf(id, 'field.value')).toBe('é!')
})

test('keys come up that went down with Shift; the buttons on the side of a mouse do nothing', async () => {
  const id = await watch('/input')
  await liveView().and(page.locator('[data-drawn=true]')).waitFor()
  await takeOver()
  const [clientX, clientY] = await at(200, 300)
  for (const button of [3, 4]) {
    for (const type of ['mousedown', 'mouseup']) await liveView().dispatchEvent(type, { button, clientX, clientY })
  }
  await page.mouse.click(...(await at(100, 50)))
  await page.keyboard.down('Shift')
  await page.keyboard.down('A')
  await page.keyboard.up('Shift')
  await page.keyboard.up('a')
  await expect
    .poll(() =>
      valueOf(id, 'seen.filter((line) => /^key(down|up) /.test(line)).map((line) => line.split(" ")[2]).join(" ")'),
    )
    .toBe('ShiftLeft KeyA ShiftLeft KeyA')
  expect(await valueOf(id, 'field.value')).toBe('A')
  expect(await valueOf(id, 'seen.filter((line) => /^mouse(down|up)/.test(line))')).toEqual([])
})

test('a drag and a paste reach the page', async () => {
  const id = await watch('/input', { permissions: ['clipboard-read', 'clipboard-write'] })
  await liveView().and(page.locator('[data-drawn=true]')).waitFor()
  await takeOver()
  await page.mouse.move(...(await at(100, 300)))
  await page.mouse.down()
  await page.mouse.move(...(await at(150, 320)))
  await page.mouse.up()
  await expect.poll(() => valueOf(id, 'seen.filter((line) => /^mouse(down|up)/.test(line)).length')).toBe(2)
  expect(await valueOf(id, 'seen.some((line) => /^mousemove .* \\d\\/1$/.test(line))')).toBe(true)
  await page.evaluate(() => navigator.clipboard.writeText('pasted text'))
  await page.mouse.click(...(await at(550, 15)))
  await page.keyboard.press('Control+v')
  await expect.poll(() => valueOf(id, 'picky.value')).toBe('got 11')
})

test('what is dragged on the picture is dropped on the page', async () => {
  const id = await watch('/drag')
  await liveView().and(page.locator('[data-drawn=true]')).waitFor()
  await takeOver()
  await page.mouse.move(...(await at(50, 50)))
  await page.mouse.down()
  await page.mouse.move(...(await at(500, 400)), { steps: 10 })
  await page.mouse.up()
  await expect.poll(() => valueOf(id, 'seen.join()')).toBe('dragstart,dragenter,dragover,drop the thing,dragend')
})

test('a button that is still down when one gives back comes up', async () => {
  const id = await watch('/input')
  await liveView().and(page.locator('[data-drawn=true]')).waitFor()
  await takeOver()
  await page.mouse.move(...(await at(100, 300)))
  await page.mouse.down()
  await page.mouse.move(...(await at(150, 320)))
  await page.keyboard.press('Shift+Escape')
  await page.getByRole('button', { name: 'Take control' }).waitFor()
  await expect.poll(() => valueOf(id, 'seen.filter((line) => /^mouse(down|up)/.test(line)).length')).toBe(2)
  await page.mouse.up()
})

describe('on a touch screen', () => {
  const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }
  const seen = (id: string) => valueOf(id, 'seen')

  /** Touches the viewer's screen, with one list of points per moment; finally with none. */
  async function fingers(...moments: [number, number][][]): Promise<void> {
    const screen = await page.context().newCDPSession(page)
    for (const [index, points] of moments.entries()) {
      const touchPoints = await Promise.all(
        points.map(async ([x, y], finger) => {
          const [left, top] = await at(x, y)
          return { x: left, y: top, id: finger }
        }),
      )
      const type = index === 0 || points.length > moments[index - 1]!.length ? 'touchStart' : 'touchMove'
      await screen.send('Input.dispatchTouchEvent', { type, touchPoints })
    }
    await screen.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] })
    await screen.detach()
  }

  test('a tap is a tap, and is no click of a mouse besides', async () => {
    const id = await watch('/input', phone)
    await page.getByRole('button', { name: 'Show live view' }).tap()
    await liveView().and(page.locator('[data-drawn=true]')).waitFor()
    await takeOver()
    await page.touchscreen.tap(...(await at(200, 300)))
    await expect
      .poll(async () => ((await seen(id)) as string[]).map((line) => line.split(' ')[0]))
      .toEqual(['touchstart', 'touchend', 'mousemove', 'mousedown', 'mouseup', 'click'])
    // A tap on a field, followed by input of the on-screen keyboard.
    await page.touchscreen.tap(...(await at(100, 50)))
    await expect.poll(() => valueOf(id, 'document.activeElement.id')).toBe('field')
    await page.keyboard.insertText('typed by thumb')
    await expect.poll(() => valueOf(id, 'field.value')).toBe('typed by thumb')
  })

  test('a finger that moves scrolls the page, not the dashboard', async () => {
    const id = await watch('/input', phone)
    await page.getByRole('button', { name: 'Show live view' }).tap()
    await liveView().and(page.locator('[data-drawn=true]')).waitFor()
    await takeOver()
    const before = await page.evaluate('scrollY')
    await valueOf(id, `void addEventListener('scrollend', () => { globalThis.rested = scrollY })`)
    await fingers(...Array.from({ length: 20 }, (_, step): [number, number][] => [[600, 550 - 20 * step]]))
    await expect.poll(() => valueOf(id, 'scrollY')).toBeGreaterThan(200)
    expect(await page.evaluate('scrollY')).toBe(before)
    // Without control, the touch scrolls the dashboard.
    await page.getByRole('button', { name: 'Release' }).tap()
    // A page scrolled by touch keeps moving for a moment.
    await expect.poll(() => valueOf(id, 'globalThis.rested === scrollY')).toBe(true)
    const there = await valueOf(id, 'scrollY')
    await page.touchscreen.tap(...(await at(100, 50)))
    expect(await valueOf(id, '[scrollY, document.activeElement.id]')).toEqual([there, ''])
  })

  test('two fingers are two', async () => {
    const id = await watch('/input', phone)
    await page.getByRole('button', { name: 'Show live view' }).tap()
    await liveView().and(page.locator('[data-drawn=true]')).waitFor()
    await takeOver()
    await fingers(
      [[100, 300]],
      [
        [100, 300],
        [200, 300],
      ],
      [
        [90, 300],
        [220, 300],
      ],
    )
    await expect.poll(async () => ((await seen(id)) as string[]).find((line) => / 0:.* 1:/.test(line))).toBeTruthy()
    await expect.poll(async () => ((await seen(id)) as string[]).at(-1)).toMatch(/^touchend/)
  })
})

test('a page that hangs is said to', async () => {
  const id = await watch('/input')
  await valueOf(id, `surface.addEventListener('mousedown', () => { for (;;); })`)
  await liveView().and(page.locator('[data-drawn=true]')).waitFor()
  await takeOver()
  const said = () => page.getByRole('region', { name: 'Live view' }).getByRole('status').last().innerText()
  expect(await said()).toMatch(/Shift\+Esc to release/)
  await page.mouse.click(...(await at(200, 300)))
  await expect.poll(said).toMatch(/does not respond to input: it hangs/)
})
