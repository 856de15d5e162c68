import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from 'playwright'
import { findBrowserExecutable } from '../../src/adapters/playwright/browser-executable.ts'
import type { TestApp } from './start-app.ts'

/** The dashboard as somebody has it open. */
export interface DashboardPage {
  page: Page
  context: BrowserContext
  /** What the page asked of other hosts: refused, as if the network had been cut. */
  outside: string[]
  /** What the browser complained of: errors, warnings, violated policies. */
  complaints: string[]
}

export function launchPersonsBrowser(): Promise<Browser> {
  const executablePath = findBrowserExecutable(process.env['TABWIRE_BROWSER_PATH'] ?? null)
  return chromium.launch({ executablePath, args: ['--no-sandbox'] })
}

/** Opens the link that the server prints, or a place within the page. */
export async function openDashboard(
  browser: Browser,
  tabwire: TestApp,
  { query = '', ...options }: BrowserContextOptions & { query?: string } = {},
): Promise<DashboardPage> {
  const context = await browser.newContext({ viewport: { width: 1400, height: 850 }, ...options })
  const outside: string[] = []
  const complaints: string[] = []
  await context.route(
    (url) => url.origin !== tabwire.url,
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
  const link = new URL(tabwire.app.signInUrl('dashboard'))
  link.search = query
  await page.goto(link.href)
  return { page, context, outside, complaints }
}

/** The address of one session in the dashboard. */
export function sessionQuery(id: string, panel?: string): string {
  return new URLSearchParams({ session: id, ...(panel === undefined ? {} : { panel }) }).toString()
}
