import AxeBuilder from '@axe-core/playwright'
import type { Page } from 'playwright'
import { beforeAll, describe, expect, test } from 'vitest'
import { sessionQuery } from '../support/dashboard-page.ts'
import { startTestSite } from '../support/test-site.ts'
import { withDashboard } from '../support/with-dashboard.ts'

const { site, start, terminate, openPage } = withDashboard(startTestSite, {
  testTimeout: 120_000,
  keepSessions: true,
})
let page: Page
let ended: string
let running: string

beforeAll(async () => {
  const input = { initialPrompt: `${site().url}/fetches`, screenshot: true, record: ['TRACE'], name: 'ended' }
  ended = (await start(input, 'LOADED')).id
  await terminate(ended)
  // However long the tests take.
  const kept = { initialPrompt: `${site().url}/console`, name: 'running', keepAlive: true }
  running = (await start(kept, 'LOADED')).id
})

async function open(options: Parameters<typeof openPage>[0]): Promise<void> {
  page = (await openPage(options)).page
  await expect.poll(() => page.getByRole('banner').getByRole('status').first().innerText()).toBe('Live')
}

const COLORS = ['light', 'dark'] as const
const WIDTHS = [1400, 360]

/** What axe finds wrong with the open page in both color schemes, at the given widths; in readable form. */
async function findings(widths = WIDTHS): Promise<string[]> {
  const found: string[] = []
  for (const width of widths) {
    await page.setViewportSize({ width, height: 800 })
    for (const colorScheme of COLORS) {
      await page.emulateMedia({ colorScheme })
      // Colors half way from one scheme to the other are none that anybody reads.
      await page.evaluate(async () => {
        const transitions = document.getAnimations().filter((one) => one instanceof CSSTransition)
        await Promise.allSettled(transitions.map(({ finished }) => finished))
      })
      const { violations } = await new AxeBuilder({ page }).analyze()
      for (const { id, impact, nodes } of violations) {
        const where = nodes.map(({ html }) => html).join(' ')
        found.push(`${colorScheme}, ${width} pixels wide: ${impact}: ${id}: ${where}`)
      }
    }
  }
  return found
}

const firstRow = () => page.getByRole('grid').getByRole('row').nth(1)

test('axe finds nothing wrong with the list and the form', async () => {
  await open({})
  await page.getByRole('table', { name: 'Ended' }).waitFor()
  expect(await findings()).toEqual([])
  await page.getByRole('button', { name: 'Start session' }).click()
  await page.getByText('More options').click()
  await page.getByRole('textbox', { name: 'Locale' }).waitFor()
  expect(await findings()).toEqual([])
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Terminate running' }).click()
  await page.getByRole('alertdialog').waitFor()
  expect(await findings()).toEqual([])
})

describe.each(WIDTHS)('at a width of %i', (width) => {
  const options = { viewport: { width, height: 800 } }

  test.each(['console', 'network', 'timeline', 'artifacts', 'details'])(
    'axe finds nothing wrong with %s',
    async (panel) => {
      const id = panel === 'console' ? running : ended
      await open({ ...options, query: sessionQuery(id, panel) })
      await page.getByRole('tabpanel').getByRole('button', { name: 'GraphQL' }).first().waitFor()
      if (panel === 'artifacts') await page.getByRole('img').waitFor()
      else if (panel === 'details') await page.getByText('Health').first().waitFor()
      else {
        await firstRow().waitFor()
        await firstRow().click({ position: { x: 30, y: 10 } })
        await page.getByRole('region', { name: /^(Message|Request|Event details)$/ }).waitFor()
      }
      expect(await findings([width])).toEqual([])
    },
  )

  test('axe finds nothing wrong with the live picture and the links for clients', async () => {
    await open({ ...options, query: sessionQuery(running) })
    if (width === 360) await page.getByRole('button', { name: 'Show live view' }).click()
    await page.locator('canvas[data-drawn=true]').waitFor()
    await page.getByRole('button', { name: 'Take control' }).click()
    await page.getByRole('textbox', { name: 'Keyboard input' }).waitFor({ state: 'attached' })
    expect(await findings([width])).toEqual([])
    await page.getByRole('button', { name: 'Connect' }).click()
    await page.getByRole('button', { name: 'Copy: Playwright' }).waitFor()
    expect(await findings([width])).toEqual([])
  })

  test('nothing is wider than the window', async () => {
    for (const query of [
      '',
      ...['console', 'network', 'timeline', 'artifacts', 'details'].map((panel) => sessionQuery(running, panel)),
    ]) {
      await open({ ...options, query })
      await page.getByRole('button', { name: 'GraphQL' }).first().waitFor()
      for (const colorScheme of COLORS) {
        await page.emulateMedia({ colorScheme })
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width)
        if (query === '') continue
        expect(await page.getByRole('main').evaluate((main) => main.scrollWidth - main.clientWidth)).toBe(0)
      }
      await page.context().close()
    }
  })
})

test('with the keyboard alone one finds the line that failed', async () => {
  await open({})
  await page.getByRole('link', { name: 'running' }).waitFor()
  await page.keyboard.press('Tab')
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Skip to content')
  const focus = (name: string) => page.evaluate((wanted) => document.activeElement?.textContent === wanted, name)
  for (let pressed = 0; pressed < 30 && !(await focus('running')); pressed += 1) await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.getByRole('tab', { name: 'Console' }).focus()
  await page.keyboard.press('ArrowRight')
  await page.keyboard.press('Enter')
  await page.getByRole('grid', { name: 'Network' }).waitFor()
  await page.keyboard.press('ArrowLeft')
  await page.keyboard.press('Enter')
  const grid = page.getByRole('grid', { name: 'Console' })
  await grid.getByText('from a timer').waitFor()
  await grid.focus()
  await page.keyboard.press('Home')
  for (let pressed = 0; pressed < 4; pressed += 1) await page.keyboard.press('ArrowDown')
  const active = await grid.getAttribute('aria-activedescendant')
  expect(await page.locator(`[id="${active}"]`).innerText()).toContain('an error')
  expect(await page.locator(`[id="${active}"]`).getAttribute('aria-selected')).toBe('true')
  await page.getByRole('region', { name: 'Message' }).getByText('an error').waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('region', { name: 'Message' }).waitFor({ state: 'detached' })
})
