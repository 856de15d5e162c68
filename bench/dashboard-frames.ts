import type { Page } from 'playwright'
import { milliseconds, type Benchmark } from './benchmark.ts'
import type { GraphqlClient } from './graphql-client.ts'

const LINES = 20_000
/** Two thousand lines a second, as logged by a busy page. */
const LINES_A_BURST = 40
const BURST_EVERY_MS = 20
const QUIET_MS = 3_000
const RUNS = 3

const START = `mutation ($url: String!) { startSession(input: { initialPrompt: $url }, waitUntil: LOADED) { id } }`
const FLOOD = `mutation ($id: ID!, $expression: String!) {
  runActions(sessionId: $id, actions: [{ evaluate: { expression: $expression } }]) { success } }`
const END = `mutation ($id: ID!) { terminateSession(id: $id) { id } }`

/** The longest time without a new frame of the dashboard while its console grows by 2,000 lines a second. */
export const dashboardFrames: Benchmark = {
  name: 'dashboard',
  async run({ browser, meter, site, startServer }) {
    const server = await startServer()
    const quiet: number[] = []
    const flooded: number[] = []
    for (let run = 0; run < RUNS; run += 1) {
      const { startSession } = await server.client.query<{ startSession: { id: string } }>(START, { url: site.still })
      const { id } = startSession
      const context = await browser.newContext({ viewport: { width: 1400, height: 850 } })
      const page = await context.newPage()
      await page.goto(`${server.url}/?${new URLSearchParams({ session: id }).toString()}`)
      await page.getByLabel('API key').fill(server.apiKey)
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByTestId('log-count').waitFor()
      await countFrames(page)
      await page.waitForTimeout(QUIET_MS)
      quiet.push(await longestFrame(page))
      flooded.push(
        await meter.during('measured', async () => {
          await flood(server.client, id)
          await shown(page, LINES)
          return longestFrame(page)
        }),
      )
      await context.close()
      await server.client.query(END, { id })
    }
    const worst = Math.max(...flooded)
    return [
      {
        id: 'dashboard-frames',
        what: 'dashboard: 2,000 lines a second for 10 s, longest frame',
        must: 100,
        aim: 50,
        figure: worst,
        unit: 'ms',
        spread: [Math.min(...flooded), worst],
        baseline: `${milliseconds(Math.max(...quiet))} without lines`,
        measured: milliseconds(worst),
      },
    ]
  },
}

async function flood(client: GraphqlClient, id: string): Promise<void> {
  const expression = `let line = 0
    const timer = setInterval(() => {
      for (let of = 0; of < ${LINES_A_BURST}; of += 1) console.log('line ' + (line += 1) + ' of the flood')
      if (line >= ${LINES}) clearInterval(timer)
    }, ${BURST_EVERY_MS}); 0`
  await client.query(FLOOD, { id, expression })
}

/** Makes the page record the longest time between two of its frames. */
async function countFrames(page: Page): Promise<void> {
  await page.evaluate(() => {
    const state = { longest: 0 }
    Reflect.set(globalThis, 'frameTimes', state)
    let last = performance.now()
    const frame = (now: number) => {
      state.longest = Math.max(state.longest, now - last)
      last = now
      requestAnimationFrame(frame)
    }
    requestAnimationFrame(frame)
  })
}

/** Since the previous call. */
function longestFrame(page: Page): Promise<number> {
  return page.evaluate(() => {
    const state = Reflect.get(globalThis, 'frameTimes') as { longest: number }
    const { longest } = state
    state.longest = 0
    return longest
  })
}

async function shown(page: Page, lines: number): Promise<void> {
  const isShown = (wanted: number) => {
    const text = document.querySelector('[data-testid=log-count]')?.textContent ?? ''
    return Number(text.replace(/\D/g, '')) >= wanted
  }
  await page.waitForFunction(isShown, lines, { timeout: 60_000 })
}
