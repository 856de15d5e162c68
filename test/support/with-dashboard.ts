import type { Browser } from 'playwright'
import { afterAll, afterEach, beforeAll, expect, vi } from 'vitest'
import { launchPersonsBrowser, openDashboard, type DashboardPage } from './dashboard-page.ts'
import type { TestApp } from './start-app.ts'
import { withApp, type Site } from './with-app.ts'

/**
 * Call at the top of a file that tests the dashboard: the result of `withApp`, and a browser with the page open.
 * After each test the page is closed, and all sessions have ended unless `keepSessions`.
 */
export function withDashboard<S extends Site>(
  startSite: () => Promise<S>,
  { testTimeout = 90_000, keepSessions = false, allowComplaints = false } = {},
) {
  vi.setConfig({ testTimeout })
  const base = withApp(startSite)
  const { tabwire } = base
  const opened: DashboardPage[] = []
  let launched: Browser | undefined

  beforeAll(async () => {
    launched = await launchPersonsBrowser()
  })

  afterEach(async () => {
    const shown = opened.splice(0)
    for (const { context } of shown) await context.close()
    if (!keepSessions) await tabwire().query('mutation { terminateSessions(filter: { status: [CREATING, RUNNING] }) }')
    const received = shown.flatMap(({ outside, complaints }) => [...outside, ...(allowComplaints ? [] : complaints)])
    // oxlint-disable-next-line vitest/no-standalone-expect -- of every test
    expect(received).toEqual([])
  })

  afterAll(() => launched?.close())

  const browser = (): Browser => launched!
  return {
    ...base,
    browser,

    /** See openDashboard; `of`: a server other than that of the file. */
    async openPage({ of = tabwire(), ...options }: Parameters<typeof openDashboard>[2] & { of?: TestApp } = {}) {
      const dashboard = await openDashboard(browser(), of, options)
      opened.push(dashboard)
      return dashboard
    },
  }
}
