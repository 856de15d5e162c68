import AxeBuilder from '@axe-core/playwright'
import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import type { Page } from 'playwright'
import { expect, test } from 'vitest'
import { sessionQuery } from '../support/dashboard-page.ts'
import { startExchangeSite } from '../support/site-exchanges.ts'
import { withDashboard } from '../support/with-dashboard.ts'

const HOSTILE = '<img src=x onerror="document.title = 1"><script>document.title = 1</script>'
const ROWS = 25_000
const TEXT = `${'lorem ipsum. '.repeat(15_500)}the needle is here${' dolor sit.'.repeat(2_000)}`
const SENT = `it's a "quoted" text\nof two lines`

const { site, start, terminate, openPage } = withDashboard(() =>
  startExchangeSite(() => ({
    '/': `<title>shop</title><script>
      const post = (path, body) => fetch(path, { method: 'POST', body }).then((response) => response.text(), String)
      onload = async () => {
        await post('/order', JSON.stringify({ item: 'lamp', note: ${JSON.stringify(SENT).replaceAll('<', '\\u003c')} }))
        await post('/text', ${JSON.stringify(SENT)})
        await post('/binary', new Uint8Array([0, 255, 254, 1]))
        for (const path of ['/hostile', '/rows', '/long', '/picture']) await fetch(path).then((response) => response.text())
        console.error('order failed')
        console.error('again')
        console.log('all done')
      }
    </script>`,
    '/order': json(502, { error: { code: 'PAYMENT_FAILED', id: 7, details: HOSTILE }, items: [] }),
    '/text': (response) => response.writeHead(204).end(),
    '/binary': (response) => response.writeHead(204).end(),
    '/hostile': (response) => response.writeHead(200, { 'content-type': 'text/html' }).end(HOSTILE),
    '/rows': json(
      200,
      Array.from({ length: ROWS }, (_, row) => row),
    ),
    '/long': (response) => response.writeHead(200, { 'content-type': 'text/plain' }).end(TEXT),
    '/picture': (response) => response.writeHead(200, { 'content-type': 'image/gif' }).end(Buffer.alloc(10)),
  })),
)
let page: Page

function json(status: number, body: unknown) {
  return (response: ServerResponse) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

/** A session in which all of it has happened, with the details of one request. */
async function open(path: string, options: Parameters<typeof openPage>[0] = {}) {
  const { id } = await start({ initialPrompt: `${site().url}/` }, 'LOADED')
  const permissions = ['clipboard-read', 'clipboard-write']
  page = (await openPage({ ...options, query: sessionQuery(id, 'network'), permissions })).page
  const row = page.getByRole('grid', { name: 'Network' }).getByRole('row').filter({ hasText: path })
  await page.getByRole('grid', { name: 'Network' }).getByText('picture').waitFor()
  await page.getByRole('textbox', { name: 'Filter by URL' }).or(page.getByLabel('Filter by URL')).fill(`/${path}`)
  await row.first().click({ position: { x: 30, y: 10 } })
  return { id, pane: page.getByRole('region', { name: 'Request', exact: true }) }
}

const copied = () => page.evaluate(() => navigator.clipboard.readText())

test('a failed request tells why in its body: a tree that opens, a search in it, a download', async () => {
  const { pane } = await open('order')
  const response = pane.locator('details', { has: page.getByRole('heading', { name: 'Response body' }) }).first()
  await response.getByText('"PAYMENT_FAILED"').waitFor()
  expect(await response.locator('summary').first().innerText()).toMatch(/Response body application\/json, \d+ B/)
  const request = pane.locator('details', { has: page.getByRole('heading', { name: 'Request body' }) }).first()
  await request.getByText('item:').waitFor()
  await request.getByText('"lamp"').waitFor()

  // Received content is shown as text, whatever it looks like.
  await response.getByText(JSON.stringify(HOSTILE)).waitFor()
  expect(await pane.locator('img, script').count()).toBe(0)

  const member = response.getByText('error:')
  await member.click()
  await expect.poll(() => response.getByText('"PAYMENT_FAILED"').count()).toBe(0)
  await response.getByLabel('Search response body').fill('failed')
  await response.getByRole('status').getByText('1 of 1').waitFor()
  expect(await response.locator('mark').innerText()).toBe('code: "PAYMENT_FAILED"')
  await response.getByLabel('Search response body').fill('e')
  const reported = response.getByRole('status').first()
  const counted = async () => Number(/^1 of (\d+)$/.exec(await reported.innerText())?.[1])
  await expect.poll(counted).toBeGreaterThan(2)
  const hits = await counted()
  await response.getByRole('button', { name: 'Next' }).click()
  await reported.getByText(`2 of ${hits}`).waitFor()
  await response.getByLabel('Search response body').press('Enter')
  await reported.getByText(`3 of ${hits}`).waitFor()
  for (let back = 0; back < 3; back += 1) await response.getByRole('button', { name: 'Previous' }).click()
  await reported.getByText(`${hits} of ${hits}`).waitFor()
  await response.getByLabel('Search response body').fill('nowhere')
  await reported.getByText('No matches').waitFor()

  await response.getByRole('button', { name: 'Raw' }).click()
  await response.locator('pre').getByText('{"error":{"code":"PAYMENT_FAILED"').waitFor()
  const downloading = page.waitForEvent('download')
  await response.getByRole('link', { name: 'Download' }).click()
  const saved = await readFile(await (await downloading).path(), 'utf8')
  expect(JSON.parse(saved)).toMatchObject({ error: { code: 'PAYMENT_FAILED' } })
})

test('a hostile document is shown as its text', async () => {
  const { pane } = await open('hostile')
  await pane.locator('pre').getByText(HOSTILE, { exact: true }).waitFor()
  expect(await pane.locator('img, script').count()).toBe(0)
  expect(await page.title()).not.toBe('1')
})

test('of a large document only what is open exists; a hit far away is opened', async () => {
  const { pane } = await open('rows')
  const body = pane.locator('details', { has: page.getByRole('heading', { name: 'Response body' }) }).first()
  // Too large to be loaded without a request.
  expect(await body.getByRole('button').count()).toBe(0)
  await body.locator('summary').click()
  await body.getByText(`[0 … 9999]`).waitFor()
  expect(await body.locator('li').count()).toBeLessThan(200)
  await body.getByLabel('Search response body').fill('24321')
  await expect.poll(() => body.locator('mark').allInnerTexts()).toEqual(['24321: 24321'])
  await expect.poll(() => body.locator('mark').isVisible()).toBe(true)
  expect(await body.locator('li').count()).toBeLessThan(500)
})

test('a long text is shown in parts; a search turns to that of its hit', async () => {
  const { pane } = await open('long')
  const body = pane.locator('details', { has: page.getByRole('heading', { name: 'Response body' }) }).first()
  await body.locator('summary').click()
  await body.getByText(/^Characters 1 to 200,000 of [\d,]+$/).waitFor()
  expect((await body.locator('pre').innerText()).length).toBeLessThanOrEqual(200_000)
  await body.getByLabel('Search response body').fill('THE NEEDLE')
  await body.getByText(/^Characters 200,001 to [\d,]+ of /).waitFor()
  expect(await body.locator('mark').allInnerTexts()).toEqual(['the needle'])
  await body.getByRole('button', { name: 'Previous part' }).click()
  await body.getByText(/^Characters 1 to 200,000 of /).waitFor()
})

test('where a body is missing, the reason is there', async () => {
  const { pane } = await open('picture')
  await pane.getByText('Not captured: the session does not record bodies of this kind.').waitFor()
  expect(await pane.getByRole('heading', { name: 'body' }).allInnerTexts()).toEqual(['Response body'])
})

test('a request is copied as a command for curl, and as a call of fetch', async () => {
  const { pane } = await open('text')
  await pane.getByRole('button', { name: 'Copy as cURL' }).click()
  await expect.poll(copied).toMatch(/^curl /)
  const command = `curl() { printf '%s\\0' "$@"; }\n${await copied()}`
  const given = execFileSync('/bin/sh', ['-c', command], { encoding: 'utf8' }).split('\0')
  expect(given[0]).toBe(`${site().url}/text`)
  expect(given[given.indexOf('--data-raw') + 1]).toBe(SENT)
  await pane.getByRole('button', { name: 'Copy as fetch' }).click()
  await expect.poll(copied).toMatch(/^await fetch\("/)
  expect(await copied()).toContain(JSON.stringify(SENT))
})

test('tabs count what went wrong, as it goes wrong', async () => {
  const { id } = await open('order')
  const tab = (name: string) => page.getByRole('tab', { name }).locator('.tab-errors')
  await expect.poll(() => tab('Console').innerText()).toMatch(/^\d+ errors$/)
  const failed = await tab('Network').innerText()
  expect(failed).toMatch(/^\d+ failed$/)
  await page.getByLabel('Filter by URL').fill('')
  await page.getByLabel('Failed only').check()
  const rows = page.getByRole('grid', { name: 'Network' }).getByRole('row')
  await expect.poll(async () => `${(await rows.count()) - 1} failed`).toBe(failed)
  await terminate(id)
  await page.getByText('Closed · terminated').waitFor()
  await page.reload()
  await expect.poll(() => tab('Network').innerText()).toBe(failed)
})

test.each([
  ['light', 1400],
  ['dark', 360],
] as const)('axe finds nothing wrong with bodies and counts, %s at %i', async (colorScheme, width) => {
  const { pane } = await open('order', { colorScheme, viewport: { width, height: 800 } })
  await pane.getByText('"PAYMENT_FAILED"').waitFor()
  await pane.getByLabel('Search response body').fill('failed')
  await pane.locator('mark').waitFor()
  const { violations } = await new AxeBuilder({ page }).analyze()
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([])
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width)
})
