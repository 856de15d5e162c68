import { readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { chromium, type Page } from 'playwright'
import puppeteer from 'puppeteer-core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { CdpSocket, type CdpAnswer } from '../support/cdp-socket.ts'
import { ofKind } from '../support/connect-api.ts'
import { startDownloadSite } from '../support/site-downloads.ts'
import { startTestSite } from '../support/test-site.ts'
import { readEntireLog } from '../support/entire-log.ts'
import { withApp } from '../support/with-app.ts'

const { tabwire, site, start, terminate, cdpUrlOf, logOf, untilLogged } = withApp(startTestSite)

const SIZE = 1000

/** Header of a proxy in front of the server: the client is on another machine. */
const FROM_ELSEWHERE = { 'x-forwarded-for': '192.0.2.7' }

async function startSession(): Promise<string> {
  const { id } = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
  onTestFinished(async () => void (await terminate(id)))
  return id
}

async function withPlaywright(headers: Record<string, string> = {}) {
  const id = await startSession()
  const browser = await chromium.connectOverCDP(await cdpUrlOf(id), { headers })
  onTestFinished(() => browser.close())
  return { id, browser, page: browser.contexts()[0]!.pages()[0]! }
}

const goTo = (page: Pick<Page, 'evaluate'>, path: string) => page.evaluate((to) => void (location.href = to), path)

async function download(page: Page, path = `${site().url}/file?size=${SIZE}`) {
  const [begun] = await Promise.all([page.waitForEvent('download'), goTo(page, path)])
  return begun
}

/** A site whose download does not end by itself. */
async function heldSite(): Promise<string> {
  const held = await startDownloadSite()
  onTestFinished(() => held.close())
  return held.url
}

async function artifactsOf(id: string) {
  const query = `query ($id: ID!) { session(id: $id) { artifacts(kind: DOWNLOAD) { nodes { name sizeBytes } } } }`
  type Found = { session: { artifacts: { nodes: { name: string; sizeBytes: number }[] } } }
  return (await tabwire().query<Found>(query, { id })).session.artifacts.nodes
}

const downloadsIn = async (id: string) => {
  type Found = { failure?: string | null; artifact?: { name: string } | null }
  const entries = await readEntireLog<Found>(tabwire(), id, '... on Download { failure artifact { name } }')
  return entries.filter((entry) => 'failure' in entry)
}

describe('Playwright on the same machine', () => {
  test.runIf(process.platform === 'linux')(
    'has the files of its downloads, which are artifacts all the same',
    async () => {
      const { id, browser, page } = await withPlaywright()
      const first = await download(page)
      expect(first.suggestedFilename()).toBe('report.bin')
      expect(await first.failure()).toBeNull()
      // It receives the end once the artifact exists.
      expect(await artifactsOf(id)).toEqual([{ name: 'report.bin', sizeBytes: SIZE }])
      const path = await first.path()
      expect((await stat(path)).size).toBe(SIZE)
      const saved = join(tmpdir(), `tabwire-test-${process.pid}.bin`)
      await first.saveAs(saved)
      onTestFinished(() => rm(saved))
      expect(await readFile(saved)).toEqual(await readFile(path))
      expect(await text(await first.createReadStream())).toHaveLength(SIZE)
      await first.delete()
      await expect(stat(path)).rejects.toThrow('ENOENT')

      const context = await browser.newContext()
      const page2 = await context.newPage()
      await page2.goto(`${site().url}/title`)
      const second = await download(page2, `${site().url}/file?size=7`)
      expect((await stat(await second.path())).size).toBe(7)
      const kept = { failure: null, artifact: { name: 'report.bin' } }
      await expect.poll(() => downloadsIn(id)).toEqual([kept, kept])
    },
  )

  test('cancels a download', async () => {
    const { id, page } = await withPlaywright()
    const begun = await download(page, `${await heldSite()}/held?bytes=1000`)
    await begun.cancel()
    expect(await begun.failure()).toBe('canceled')
    await expect.poll(() => downloadsIn(id)).toEqual([{ failure: 'canceled', artifact: null }])
  })

  test('does not accept downloads in a context of its own', async () => {
    const { id, browser } = await withPlaywright()
    const context = await browser.newContext({ acceptDownloads: false })
    const page = await context.newPage()
    await page.goto(`${site().url}/title`)
    const begun = await download(page)
    expect(await begun.failure()).toContain('acceptDownloads')
    await expect.poll(() => downloadsIn(id)).toEqual([{ failure: 'canceled', artifact: null }])
    expect(await artifactsOf(id)).toEqual([])
  })
})

describe('Playwright on another machine', () => {
  test('is told which artifact has the file that it does not find', async () => {
    const { id, page } = await withPlaywright(FROM_ELSEWHERE)
    const begun = await download(page)
    expect(await begun.failure()).toBeNull()
    const saying = /the server keeps it as the artifact report\.bin of the session/
    await expect(begun.saveAs('/nowhere/at/all')).rejects.toThrow(saying)
    expect(await begun.path()).toMatch(saying)
    expect(await artifactsOf(id)).toEqual([{ name: 'report.bin', sizeBytes: SIZE }])
    // A known name refers to the same download when it is used again.
    const second = await download(page, `${await heldSite()}/held?bytes=1000`)
    await second.cancel()
    expect(await second.failure()).toBe('canceled')
  })
})

describe('a client that denies downloads', () => {
  test('has them canceled, until it leaves', async () => {
    const id = await startSession()
    const browser = await puppeteer.connect({
      browserWSEndpoint: await cdpUrlOf(id),
      defaultViewport: null,
      downloadBehavior: { policy: 'deny' },
    })
    const [page] = await browser.pages()
    await goTo(page!, `${site().url}/file?size=${SIZE}`)
    await expect.poll(() => downloadsIn(id)).toEqual([{ failure: 'canceled', artifact: null }])
    await browser.disconnect()
    await untilLogged(id, (log) => ofKind(log, 'ClientDetached').length === 1)
    await using other = await CdpSocket.connect(await cdpUrlOf(id))
    const { sessionId } = await other.attachToPage()
    await other.send('Runtime.evaluate', { expression: `location.href = '/file?size=5'` }, sessionId)
    await expect.poll(() => downloadsIn(id)).toHaveLength(2)
    expect((await downloadsIn(id))[1]).toEqual({ failure: null, artifact: { name: 'report.bin' } })
  })

  test('is told so, and outlives one that leaves before it', async () => {
    const id = await startSession()
    await using denying = await CdpSocket.connect(await cdpUrlOf(id))
    const { sessionId } = await denying.attachToPage()
    await denying.send('Browser.setDownloadBehavior', { behavior: 'deny', eventsEnabled: true })
    const other = await CdpSocket.connect(await cdpUrlOf(id))
    await other.attachToPage()
    other.socket.close()
    await untilLogged(id, (log) => ofKind(log, 'ClientDetached').length === 1)
    await denying.send('Runtime.evaluate', { expression: `location.href = '/file?size=5'` }, sessionId)
    const isEnd = (event: CdpAnswer) =>
      event.method === 'Browser.downloadProgress' && event.params!['state'] !== 'inProgress'
    const { params } = await denying.event(isEnd)
    expect(params).toMatchObject({ state: 'canceled' })
    expect(await artifactsOf(id)).toEqual([])
  })

  test('may say so by the deprecated command of the page', async () => {
    const id = await startSession()
    await using client = await CdpSocket.connect(await cdpUrlOf(id))
    const { sessionId } = await client.attachToPage()
    const behaviors = [{ behavior: 'allow', downloadPath: '/etc' }, { behavior: 'deny' }, { behavior: 'default' }]
    for (const [index, params] of behaviors.entries()) {
      expect(await client.send('Page.setDownloadBehavior', params, sessionId)).toEqual({})
      await client.send('Runtime.evaluate', { expression: `location.href = '/file?size=5'` }, sessionId)
      await expect.poll(() => downloadsIn(id)).toHaveLength(index + 1)
    }
    expect((await downloadsIn(id)).map(({ failure }) => failure)).toEqual([null, 'canceled', null])
    expect(JSON.stringify(await logOf(id))).not.toContain('/etc')
  })
})
