import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { chromium, type Page } from 'playwright'
import puppeteer, { type ElementHandle } from 'puppeteer-core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { artifactApi } from '../support/artifact-api.ts'
import { CdpSocket } from '../support/cdp-socket.ts'
import { startActionPages } from '../support/site-actions.ts'
import { withApp } from '../support/with-app.ts'

const { tabwire, site, start, terminate, cdpUrlOf } = withApp(startActionPages)
const { give } = artifactApi(tabwire)

async function startSession(): Promise<string> {
  const { id } = await start({ initialPrompt: `${site().url}/files` }, 'LOADED')
  onTestFinished(async () => void (await terminate(id)))
  return id
}

/** A folder of the machine on which the browser runs, with a file in it. */
async function folderOfServer(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'tabwire-test-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  await writeFile(join(dir, 'secret.txt'), 'of the server')
  return dir
}

test('Puppeteer gives a page uploads by their names', async () => {
  const id = await startSession()
  await give(id, 'old', 'report.txt')
  await give(id, 'new', 'report.txt')
  await give(id, 'b', 'Bericht ä.txt')
  await give((await start()).id, 'other', 'elsewhere.txt')
  const browser = await puppeteer.connect({ browserWSEndpoint: await cdpUrlOf(id), defaultViewport: null })
  onTestFinished(() => browser.disconnect())
  const [page] = await browser.pages()
  const input = (await page!.$('#file')) as ElementHandle<HTMLInputElement>
  const out = () => page!.$eval('#out', (node) => node.textContent)
  // Puppeteer resolves it to a path of the client's machine.
  await input.uploadFile('report.txt', '/home/ada/Bericht ä.txt')
  await expect.poll(out).toContain('new')
  expect(await out()).toContain('Bericht ä.txt')
  expect(await out()).not.toContain('old')
  const path = join(await folderOfServer(), 'secret.txt')
  await expect(input.uploadFile(path)).rejects.toThrow('is not the name of an upload of this session')
  await expect(input.uploadFile('report.txt', 'elsewhere.txt')).rejects.toThrow('"')
  expect(await out()).not.toContain('of the server')
})

/** As a browser reports the files of a directory. */
const relativePaths = (page: Page) =>
  page.$eval('#file', (input) =>
    [...(input as HTMLInputElement).files!].map(({ webkitRelativePath }) => webkitRelativePath).toSorted(),
  )

const asDirectory = (page: Page) => page.$eval('#file', (input) => ((input as HTMLInputElement).webkitdirectory = true))

describe.runIf(process.platform === 'linux')('Playwright on the machine of the server gives a page a directory', () => {
  test('of its own, with all below it, as it is at that moment', async () => {
    const id = await startSession()
    const dir = await folderOfServer()
    await mkdir(join(dir, 'deep', 'er'), { recursive: true })
    await writeFile(join(dir, 'deep', 'er', 'empty'), '')
    const browser = await chromium.connectOverCDP(await cdpUrlOf(id))
    onTestFinished(() => browser.close())
    const page = browser.contexts()[0]!.pages()[0]!
    await asDirectory(page)
    await page.setInputFiles('#file', dir)
    const name = basename(dir)
    await expect.poll(() => relativePaths(page)).toEqual([`${name}/deep/er/empty`, `${name}/secret.txt`])
    await expect.poll(() => page.textContent('#out')).toContain('of the server')
  })

  test('but not with a link in it, which it hears at once', async () => {
    const id = await startSession()
    const dir = await folderOfServer()
    await symlink('/etc/hostname', join(dir, 'linked'))
    const browser = await chromium.connectOverCDP(await cdpUrlOf(id))
    onTestFinished(() => browser.close())
    const page = browser.contexts()[0]!.pages()[0]!
    await asDirectory(page)
    await expect(page.setInputFiles('#file', dir)).rejects.toThrow('"linked" in it is a link')
    expect(await relativePaths(page)).toEqual([])
  })

  test('but not a client that does not show that it is there', async () => {
    const id = await startSession()
    const dir = await folderOfServer()
    await using client = await CdpSocket.connect(await cdpUrlOf(id))
    const { sessionId } = await client.attachToPage()
    const refused = { error: { message: expect.stringContaining('is not the name of an upload') as string } }
    const ask = () => client.ask('DOM.setFileInputFiles', { files: [dir], nodeId: 1 }, sessionId)
    expect(await ask()).toMatchObject(refused)
    for (const name of ['playwright-artifacts-gone', 'somewhere']) {
      const downloadPath = join(dir, name)
      if (name === 'somewhere') await mkdir(downloadPath, { mode: 0o700 })
      await client.ask('Browser.setDownloadBehavior', { behavior: 'allowAndName', downloadPath })
      expect(await ask()).toMatchObject(refused)
    }
  })
})

test('Playwright shows at once that a folder, or a file of the server, cannot be given', async () => {
  const id = await startSession()
  const dir = await folderOfServer()
  await give(id, 'uploaded', 'given.txt')
  // As a proxy adds it.
  const headers = { 'x-forwarded-for': '203.0.113.7' }
  const browser = await chromium.connectOverCDP(await cdpUrlOf(id), { headers })
  onTestFinished(() => browser.close())
  const page = browser.contexts()[0]!.pages()[0]!
  const refusal = 'is not the name of an upload of this session'
  await asDirectory(page)
  // Otherwise it would retry for half a minute, and then report only a timeout.
  await expect(page.setInputFiles('#file', dir)).rejects.toThrow(refusal)
  const handle = await page.$('#file')
  await expect(handle!.setInputFiles(dir)).rejects.toThrow(refusal)
  await page.evaluate(() => (document.querySelector<HTMLInputElement>('#file')!.webkitdirectory = false))
  const contents = { name: 'b.txt', mimeType: 'text/plain', buffer: Buffer.from('its contents') }
  await page.setInputFiles('#file', contents)
  await expect.poll(() => page.textContent('#out')).toContain('its contents')
  // A client that claims to be on the server's machine passes paths, and is not trusted.
  const local = await chromium.connectOverCDP(await cdpUrlOf(id), { isLocal: true })
  onTestFinished(() => local.close())
  const again = local.contexts()[0]!.pages()[0]!
  await expect(again.setInputFiles('#file', join(dir, 'secret.txt'))).rejects.toThrow(refusal)
  await writeFile(join(dir, 'given.txt'), 'of the server')
  await again.setInputFiles('#file', join(dir, 'given.txt'))
  await expect.poll(() => page.textContent('#out')).toContain('uploaded')
})

test('what is no list of names is refused', async () => {
  const id = await startSession()
  await using client = await CdpSocket.connect(await cdpUrlOf(id))
  const { sessionId } = await client.attachToPage()
  for (const files of [[1], ['a', null], Array.from({ length: 101 }, () => 'a'), ['../../etc/passwd'], ['']]) {
    const { error } = await client.ask('DOM.setFileInputFiles', { files, nodeId: 1 }, sessionId)
    expect(error).toMatchObject({ code: -32_000, message: expect.stringContaining('is not served') as string })
  }
})
