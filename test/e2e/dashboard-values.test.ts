import type { Page } from 'playwright'
import { expect, test } from 'vitest'
import { sessionQuery } from '../support/dashboard-page.ts'
import { startSocketSite } from '../support/site-sockets.ts'
import { withDashboard } from '../support/with-dashboard.ts'

/** Deeper levels than the first are recorded only where the machine has the time to read them. */
const SCRIPTS = {
  values: `console.log('order', { id: 7, name: 'a' }, new Map([['b', 3]]))
    console.group('outer'); console.group('inner'); console.log('within'); console.groupEnd(); console.groupEnd()
    console.log('after')
    console.log(Object.fromEntries(Array.from({ length: 150 }, (_, index) => ['member' + index, index])))
    setTimeout(() => { throw new Error('checkout', { cause: new TypeError('no such coupon') }) })`,
  cookies: `fetch('/script/other')`,
}

const { tabwire, site, start, terminate, openPage } = withDashboard(() => startSocketSite(SCRIPTS))
let page: Page

async function open(script: keyof typeof SCRIPTS, panel: string): Promise<string> {
  const { id } = await start({ initialPrompt: `${site().url}/page/${script}` }, 'LOADED')
  page = (await openPage({ query: sessionQuery(id, panel) })).page
  return id
}

const LINES = `query ($id: ID!, $text: String!) {
  session(id: $id) { consoleMessages(first: 1, filter: { textContains: $text }) { nodes { stack arguments } } } }`

interface Recorded {
  session: { consoleMessages: { nodes: { stack: string; arguments: { properties?: { name: string }[] }[] }[] } }
}

const row = (text: string) => page.getByRole('row').filter({ hasText: text })
const pane = (name: string) => page.getByRole('region', { name, exact: true })
const value = (text: string) => pane('Message').locator('summary').filter({ hasText: text })
const leaf = (text: string) => pane('Message').locator('li').filter({ hasText: text }).last()

/** The row is clicked where it has no link. */
const select = (text: string) =>
  row(text)
    .first()
    .click({ position: { x: 30, y: 10 } })

test('arguments open: members of an object, entries of a map', async () => {
  await open('values', 'console')
  await select('order')
  await leaf('"order"').waitFor()
  expect(await leaf('id: 7').isVisible()).toBe(false)
  await value('Object').click()
  await leaf('id: 7').waitFor()
  await leaf('name: "a"').waitFor()
  await value('Map').click()
  await leaf('"b": 3').waitFor()
  await value('Map').click()
  await leaf('"b": 3').waitFor({ state: 'hidden' })
})

test('what was left out of arguments is said', async () => {
  await open('values', 'console')
  await select('member0')
  await pane('Message').getByText('more, not recorded').waitFor()
  await expect
    .poll(() => pane('Message').locator('.hint').allInnerTexts())
    .toEqual([expect.stringMatching(/^\d+ left out or cut$/)])
})

test('an error shows its stack and its members, such as a cause, as they were recorded', async () => {
  const id = await open('values', 'console')
  await select('checkout')
  const { session } = await tabwire().query<Recorded>(LINES, { id, text: 'checkout' })
  const [line] = session.consoleMessages.nodes
  const names = (line!.arguments[0]?.properties ?? []).map(({ name }) => `${name}: `)
  await expect.poll(() => pane('Message').locator('pre').last().textContent()).toBe(line!.stack)
  await expect.poll(() => pane('Message').locator('.value-name').allTextContents()).toEqual(names)
})

test('lines within groups are indented, one step for each', async () => {
  await open('values', 'console')
  const indent = (text: string) =>
    page
      .locator('.grid-body .cell-text')
      .filter({ hasText: text })
      .first()
      .evaluate((cell) => cell.querySelector('.indent')?.getBoundingClientRect().width ?? 0)
  await row('within').waitFor()
  const [outer, inner, within, after] = await Promise.all(['outer', 'inner', 'within', 'after'].map(indent))
  expect([outer, after]).toEqual([0, 0])
  expect(inner).toBeGreaterThan(0)
  expect(within).toBe(inner! * 2)
})

test('a request shows its initiator, and cookies that were set and sent', async () => {
  const id = await open('cookies', 'network')
  await row('other').waitFor()
  await select('cookies')
  const fact = (name: string) =>
    pane('Request')
      .locator('dl > div', { has: page.getByText(name, { exact: true }) })
      .locator('dd')
  await pane('Request').getByRole('heading', { name: 'Cookies set' }).waitFor()
  await expect.poll(() => fact('visitor').innerText()).toMatch(/^ann .*HttpOnly/)
  await select('other')
  await pane('Request').getByRole('heading', { name: 'Cookies sent' }).waitFor()
  await expect.poll(() => fact('visitor').innerText()).toMatch(/^ann .*HttpOnly/)
  await expect.poll(() => fact('Initiator').innerText()).toContain(`script ${site().url}/page/cookies:1:`)
  await terminate(id)
})
