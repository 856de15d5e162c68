import AxeBuilder from '@axe-core/playwright'
import type { Page } from 'playwright'
import { expect, test } from 'vitest'
import { readRows, sessionQuery } from '../support/dashboard-page.ts'
import { startPagesSite } from '../support/pages-site.ts'
import { withDashboard } from '../support/with-dashboard.ts'

const SAY = `const say = (text, times = 1) => { for (let said = 0; said < times; said += 1) console.log(text) }`
const PAGES = {
  '/repeats': `<script>${SAY}
    say('first')
    say('again', 40)
    say('between')
    say('again', 3)
    console.group('group')
    say('again')
    console.groupEnd()
    for (const level of ['warn', 'error']) for (const time of [1, 2]) console[level]('trouble')
    </script>`,
  '/many': `<script>${SAY}
    say('before')
    say('tick', 3000)
    </script>`,
  '/live': `<script>${SAY}
    say('before')
    </script>`,
}

const { tabwire, site, start, openPage } = withDashboard(() => startPagesSite(PAGES))
let page: Page

async function open(path: string, options: Parameters<typeof openPage>[0] = {}): Promise<string> {
  const { id } = await start({ initialPrompt: `${site().url}${path}` }, 'LOADED')
  page = (await openPage({ ...options, query: sessionQuery(id, 'console') })).page
  return id
}

const RUN = `mutation ($id: ID!, $expression: String!) {
  runActions(sessionId: $id, actions: [{ evaluate: { expression: $expression } }]) { success } }`
const run = (id: string, expression: string) => tabwire().query(RUN, { id, expression })

const grid = () => page.getByRole('grid', { name: 'Console' })
const row = (text: string) => grid().getByRole('row').filter({ hasText: text })
const texts = () => grid().locator('.grid-body .cell-text').allInnerTexts()
const repeats = (times: string) => grid().getByRole('button', { name: `${times} times`, exact: true })
const shown = () => page.getByTestId('log-count').innerText()
const details = () => page.getByRole('region', { name: 'Message', exact: true })
const current = () =>
  grid().evaluate((element) => {
    const id = element.getAttribute('aria-activedescendant')
    return (id === null ? null : document.getElementById(id))?.getAttribute('aria-rowindex')
  })

const FOLDED = ['first', '40 times\nagain', 'between', '3 times\nagain', 'group', 'again']
const TROUBLE = ['2 times\ntrouble', '2 times\ntrouble']
/** Text of cells, in which a badge may or may not end its line. */
const plain = (cells: readonly string[]) => cells.map((text) => text.replaceAll(/\s+/g, ' ').trim())
const folded = async () => plain(await texts())

test('equal messages in succession are one row with their number, which opens on demand', async () => {
  await open('/repeats')
  await expect.poll(folded).toEqual(plain([...FOLDED, ...TROUBLE]))
  expect(await shown()).toBe('51')
  expect(await grid().getAttribute('aria-rowcount')).toBe('9')

  await repeats('3').click()
  await expect.poll(folded).toEqual(plain([...FOLDED.slice(0, 4), 'again', 'again', ...FOLDED.slice(4), ...TROUBLE]))
  expect(await repeats('3').getAttribute('aria-expanded')).toBe('true')
  expect(await details().count()).toBe(0)

  await row('again').nth(3).click()
  expect(await details().getByText('Repeated').count()).toBe(0)
  await grid()
    .getByRole('gridcell', { name: '3 times again' })
    .click({ position: { x: 100, y: 10 } })
  await details()
    .getByText(/^3 times, last \d/)
    .waitFor()

  await repeats('3').click()
  await expect.poll(folded).toEqual(plain([...FOLDED, ...TROUBLE]))
  expect(await repeats('3').getAttribute('aria-expanded')).toBe('false')
})

test('a filter leaves the rest to be folded, and counts messages, not rows', async () => {
  await open('/repeats')
  await expect.poll(folded).toEqual(plain([...FOLDED, ...TROUBLE]))
  await page.getByLabel('Filter messages').fill('AGAIN')
  await expect.poll(folded).toEqual(['43 times again', 'again'])
  await expect.poll(shown).toBe('44 of 51')
  await page.getByLabel('Filter messages').fill('')
  await page.getByRole('button', { name: 'Errors', exact: true }).click()
  await expect.poll(folded).toEqual(['2 times trouble'])
  expect(await shown()).toBe('2 of 51')
})

test('a row counts on while messages arrive, open or not', async () => {
  const id = await open('/live')
  await expect.poll(folded).toEqual(['before'])
  await run(id, `say('live', 2)`)
  await expect.poll(folded).toEqual(['before', '2 times live'])
  await grid()
    .getByRole('gridcell', { name: 'times live' })
    .click({ position: { x: 100, y: 10 } })
  await details()
    .getByText(/^2 times, last/)
    .waitFor()
  await run(id, `say('live', 3)`)
  await expect.poll(folded).toEqual(['before', '5 times live'])
  await details()
    .getByText(/^5 times, last/)
    .waitFor()

  await repeats('5').click()
  await expect.poll(folded).toEqual(['before', '5 times live', 'live', 'live', 'live', 'live'])
  await run(id, `say('live'); say('after')`)
  await expect.poll(folded).toEqual(['before', '6 times live', 'live', 'live', 'live', 'live', 'live', 'after'])
})

test('with the keyboard alone a row is opened, read and closed', async () => {
  await open('/repeats')
  await expect.poll(folded).toEqual(plain([...FOLDED, ...TROUBLE]))
  await grid().focus()
  await page.keyboard.press('Home')
  await page.keyboard.press('ArrowDown')
  expect(await current()).toBe('3')
  await page.keyboard.press('ArrowRight')
  await expect.poll(() => repeats('40').getAttribute('aria-expanded')).toBe('true')
  expect(await grid().getAttribute('aria-rowcount')).toBe('48')
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('ArrowDown')
  expect(await current()).toBe('5')
  expect(await details().getByText('Repeated').count()).toBe(0)
  await page.keyboard.press('ArrowLeft')
  await expect.poll(() => repeats('40').getAttribute('aria-expanded')).toBe('false')
  // What was selected is part of the closed row.
  await expect.poll(current).toBe('3')
  expect(await grid().getAttribute('aria-rowcount')).toBe('9')
  await page.keyboard.press('ArrowLeft')
  await page.keyboard.press('ArrowDown')
  expect(await current()).toBe('4')
})

test('thousands of repeats are one row, and those in sight when it is open', async () => {
  await open('/many')
  await expect.poll(folded).toEqual(['before', '3,000 times tick'])
  await repeats('3,000').click()
  await expect.poll(() => grid().getAttribute('aria-rowcount')).toBe('3002')
  // Opened rows are no new entries, and do not move the row that was opened out of sight.
  await page.getByRole('button', { name: 'Jump to latest', exact: true }).waitFor()
  await repeats('3,000').waitFor()
  expect(await grid().getByRole('row').count()).toBeLessThan(100)
  expect(await readRows(page, 'Console', '.cell-text')).toHaveLength(3_001)

  await grid().focus()
  await page.keyboard.press('End')
  await expect.poll(current).toBe('3002')
  await page.keyboard.press('ArrowLeft')
  await expect.poll(folded).toEqual(['before', '3,000 times tick'])
  await expect.poll(current).toBe('3')
})

test.each([
  ['light', 1400],
  ['dark', 1400],
  ['light', 360],
  ['dark', 360],
] as const)('axe finds nothing wrong with repeats, %s at %i', async (colorScheme, width) => {
  await open('/repeats', { colorScheme, viewport: { width, height: 800 } })
  // Until the first forty are there, the third of them would be the one that is opened.
  await repeats('40').waitFor()
  await repeats('3').click()
  await expect.poll(() => row('again').count()).toBe(5)
  const { violations } = await new AxeBuilder({ page }).analyze()
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([])
})
