import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import { chromium, type Browser, type Page } from 'playwright'
import { findBrowserExecutable } from '../src/adapters/playwright/launch/browser-executable.ts'
import { WorkerEgress } from '../src/adapters/egress/thread/worker-egress.ts'
import { milliseconds, type Benchmark } from './benchmark.ts'
import { compare, interleave } from './measure.ts'

const FETCHES = 2_000
const AT_A_TIME = 20
const ROUNDS = 6
const BODY = 'x'.repeat(10_000)

/** Duration of a page's fetches through a proxy that checks every connection, compared with none. */
export const egress: Benchmark = {
  name: 'egress',
  async run({ browser, meter }) {
    await using opened = new AsyncDisposableStack()
    const site = await startSite()
    opened.defer(() => site.close())
    const proxies = opened.adopt(new WorkerEgress(pino({ level: 'silent' })), (started) => started.close())
    const proxy = await proxies.open()
    await proxy.assign({ mode: 'PUBLIC', allow: ['127.0.0.0/8'], allowedHosts: null, upstream: null }, () => {})
    const proxied = opened.adopt(
      await chromium.launch({
        executablePath: findBrowserExecutable(process.env['TABWIRE_BROWSER_PATH'] || null),
        args: [`--proxy-server=socks5://127.0.0.1:${proxy.port}`, '--proxy-bypass-list=<-loopback>'],
      }),
      (launched) => launched.close(),
    )
    const [direct, through] = [await openPage(browser, site.url), await openPage(proxied, site.url)]
    opened.defer(() => direct.context().close())
    const fetchAll = (page: Page) => () => fetchMany(page)
    await interleave(1, fetchAll(direct), fetchAll(through))
    const pairs = await meter.during('measured', () => interleave(ROUNDS, fetchAll(direct), fetchAll(through)))
    const { baseline, measured, ratio, spread } = compare(pairs, 3)
    return [
      {
        id: 'egress-fetches',
        what: `${FETCHES.toLocaleString('en')} fetches of 10 kB, ${AT_A_TIME} at a time, through the egress proxy against none`,
        baseline: milliseconds(baseline),
        measured: milliseconds(measured),
        figure: ratio,
        unit: '×',
        spread,
        must: 1.25,
        aim: 1.1,
      },
    ]
  },
}

async function openPage(browser: Browser, url: string): Promise<Page> {
  const page = await (await browser.newContext()).newPage()
  await page.goto(url)
  return page
}

/** Milliseconds, as measured by the page. */
async function fetchMany(page: Page): Promise<number> {
  return await page.evaluate(
    async ({ count, atATime }) => {
      let left = count
      const work = async () => {
        while (left > 0) {
          left -= 1
          const response = await fetch('/body', { cache: 'no-store' })
          await response.text()
        }
      }
      const start = performance.now()
      await Promise.all(Array.from({ length: atATime }, work))
      return performance.now() - start
    },
    { count: FETCHES, atATime: AT_A_TIME },
  )
}

async function startSite(): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer(({ url }, response) => {
    if (url === '/body') response.writeHead(200, { 'content-type': 'text/plain' }).end(BODY)
    else response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><link rel="icon" href="data:,">')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
