import AxeBuilder from '@axe-core/playwright'
import type { Browser, Page } from 'playwright'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { launchPersonsBrowser, openDashboard, sessionQuery, type DashboardPage } from '../support/dashboard-page.ts'
import { leakGate } from '../support/leak-gate.ts'
import { sessionApi } from '../support/session-api.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'
import { startTestSite, type TestSite } from '../support/test-site.ts'

leakGate()
vi.setConfig({ testTimeout: 120_000 })

let site: TestSite
let tabwire: TestApp
let browser: Browser
let dashboard: DashboardPage
let page: Page
let ended: string
let running: string

const { start, terminate } = sessionApi(() => tabwire)

beforeAll(async () => {
  site = await startTestSite()
  tabwire = await startTestApp({ warmBrowsers: 1 })
  browser = await launchPersonsBrowser()
  const input = { initialPrompt: `${site.url}/fetches`, screenshot: true, record: ['TRACE'], name: 'ended' }
  ended = (await start(input, 'LOADED')).id
  await terminate(ended)
  running = (await start({ initialPrompt: `${site.url}/console`, name: 'running' }, 'LOADED')).id
})

afterEach(() => dashboard.context.close())

afterAll(async () => {
  await browser.close()
  await tabwire.close()
  await site.close()
})

async function open(options: Parameters<typeof openDashboard>[2]): Promise<void> {
  dashboard = await openDashboard(browser, tabwire, options)
  page = dashboard.page
  await expect.poll(() => page.getByRole('banner').getByRole('status').first().innerText()).toBe('Live')
}

/** What axe finds wrong, as it would be reported. */
async function findings(): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze()
  return violations.map(({ id, impact, nodes }) => `${impact}: ${id}: ${nodes.map(({ html }) => html).join(' ')}`)
}

const firstRow = () => page.getByRole('grid').getByRole('row').nth(1)

describe.each(['light', 'dark'] as const)('in %s', (colorScheme) => {
  describe.each([1400, 360])('at a width of %i', (width) => {
    const options = { colorScheme, viewport: { width, height: 800 } }

    test('axe finds nothing wrong with the list and the form', async () => {
      await open(options)
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

    test.each(['console', 'network', 'story', 'artifacts', 'details'])(
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
          await page.getByRole('region', { name: /^The / }).waitFor()
        }
        expect(await findings()).toEqual([])
      },
    )

    test('axe finds nothing wrong with the live picture and the links for clients', async () => {
      await open({ ...options, query: sessionQuery(running) })
      if (width === 360) await page.getByRole('button', { name: 'Show the picture' }).click()
      await page.locator('canvas[data-drawn=true]').waitFor()
      await page.getByRole('button', { name: 'Take over' }).click()
      await page.getByRole('textbox', { name: 'Keyboard of the page' }).waitFor({ state: 'attached' })
      expect(await findings()).toEqual([])
      await page.getByRole('button', { name: 'Connect' }).click()
      await page.getByRole('button', { name: 'Copy: Playwright' }).waitFor()
      expect(await findings()).toEqual([])
    })

    test('nothing is wider than the window', async () => {
      for (const query of [
        '',
        ...['console', 'network', 'story', 'artifacts', 'details'].map((panel) => sessionQuery(running, panel)),
      ]) {
        await open({ ...options, query })
        await page.getByRole('button', { name: 'GraphQL' }).first().waitFor()
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width)
        if (query !== '') {
          expect(await page.getByRole('main').evaluate((main) => main.scrollWidth - main.clientWidth)).toBe(0)
          await dashboard.context.close()
        } else await dashboard.context.close()
      }
    })
  })
})

test('with the keyboard alone one finds the line that failed', async () => {
  await open({})
  await page.keyboard.press('Tab')
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Skip to the content')
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
  await page.getByRole('region', { name: 'The line' }).getByText('an error').waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('region', { name: 'The line' }).waitFor({ state: 'detached' })
})
