import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from 'playwright'
import { findBrowserExecutable } from '../../src/adapters/playwright/launch/browser-executable.ts'
import type { TestApp } from './start-app.ts'

/** The dashboard opened in a browser. */
export interface DashboardPage {
  page: Page
  context: BrowserContext
  /** Requests of the page to other hosts: refused, as if there were no network. */
  outside: string[]
  /** Messages of the browser: errors, warnings, violated policies. */
  complaints: string[]
}

export function launchPersonsBrowser(): Promise<Browser> {
  const executablePath = findBrowserExecutable(process.env['TABWIRE_BROWSER_PATH'] ?? null)
  return chromium.launch({ executablePath, args: ['--no-sandbox'] })
}

/** Opens the link printed by the server, or a location within the page; origin: another name of the server. */
export async function openDashboard(
  browser: Browser,
  tabwire: TestApp,
  { query = '', origin = tabwire.url, ...options }: BrowserContextOptions & { query?: string; origin?: string } = {},
): Promise<DashboardPage> {
  const context = await browser.newContext({ viewport: { width: 1400, height: 850 }, ...options })
  const outside: string[] = []
  const complaints: string[] = []
  await context.route(
    (url) => url.origin !== origin,
    (route) => {
      outside.push(route.request().url())
      return route.abort('internetdisconnected')
    },
  )
  const page = await context.newPage()
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  const link = new URL(tabwire.app.signInUrl('dashboard').replace(tabwire.url, origin))
  link.search = query
  await page.goto(link.href)
  // Signed in: the code has been exchanged and is used up.
  await page.getByRole('banner').waitFor()
  return { page, context, outside, complaints }
}

/** URL query of one session in the dashboard. */
export function sessionQuery(id: string, panel?: string): string {
  return new URLSearchParams({ session: id, ...(panel === undefined ? {} : { panel }) }).toString()
}

/** Every row of a long table, from first to last, by scrolling through it. */
export async function readRows(page: Page, label: string, cell: string): Promise<string[]> {
  const grid = page.getByRole('grid', { name: label })
  return grid.evaluate(async (element, className) => {
    const seen = new Map<number, string>()
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve))
    element.scrollTop = 0
    for (;;) {
      await frame()
      await frame()
      for (const row of element.querySelectorAll('.grid-body [role=row]')) {
        seen.set(Number(row.getAttribute('aria-rowindex')), row.querySelector(className)?.textContent ?? '')
      }
      const before = element.scrollTop
      element.scrollTop += element.clientHeight - 60
      if (element.scrollTop === before) break
    }
    return [...seen].sort(([a], [b]) => a - b).map(([, text]) => text)
  }, cell)
}
