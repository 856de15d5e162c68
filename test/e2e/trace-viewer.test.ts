import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findBrowserExecutable } from '../../src/adapters/playwright/launch/browser-executable.ts'
import type { AddressInfo } from 'node:net'
import { artifactApi } from '../support/artifact-api.ts'
import { leakGate } from '../support/leak-gate.ts'
import { sessionApi } from '../support/session-api.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'

leakGate()

let tabwire: TestApp
let browser: Browser
let site: Server
let directory: string
const api = artifactApi(() => tabwire)
const sessions = sessionApi(() => tabwire)

beforeAll(async () => {
  // A trace is finished, however slow the machine is.
  tabwire = await startTestApp({}, undefined, { deadlines: { files: 60_000 } })
  directory = await mkdtemp(join(tmpdir(), 'tw-trace-'))
  browser = await chromium.launch({
    executablePath: findBrowserExecutable(process.env['TABWIRE_BROWSER_PATH'] ?? null),
    args: ['--no-sandbox'],
  })
  site = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/html' })
    response.end('<title>Traced</title><button onclick="this.textContent = \'pressed\'">Press me</button>')
  })
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  await browser?.close()
  site?.closeAllConnections()
  site?.close()
  await tabwire?.close()
  await rm(directory, { recursive: true, force: true })
})

async function makeTrace(): Promise<Buffer<ArrayBuffer>> {
  const path = join(directory, 'trace.zip')
  const context = await browser.newContext()
  await context.tracing.start({ snapshots: true, screenshots: false })
  const page = await context.newPage()
  await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`)
  await page.getByRole('button').click()
  await context.tracing.stop({ path })
  await context.close()
  return readFile(path)
}

test('opens a trace by its link: its actions, and the page as it was', async () => {
  const { id } = await sessions.start()
  const ticket = await api.ticket(id, 'trace.zip', 'application/zip')
  expect((await fetch(ticket.url, { method: 'PUT', body: await makeTrace() })).status).toBe(201)
  const { url, viewerUrl } = (await api.find(ticket.artifactId))!
  // Uploads have no viewer link, but the viewer opens any link it is given.
  expect(viewerUrl).toBeNull()

  const page = await browser.newPage()
  const complaints: string[] = []
  const hosts = new Set<string>()
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  page.context().on('request', (request) => hosts.add(new URL(request.url()).host))
  await page.goto(`${tabwire.url}/trace/index.html?trace=${encodeURIComponent(url)}`)
  await page.getByRole('treeitem', { name: /Click/ }).click()
  const snapshot = page.frameLocator('iframe.snapshot-visible')
  await expect.poll(() => snapshot.getByRole('button').textContent()).toMatch(/Press me|pressed/)
  expect(await page.getByRole('treeitem').allTextContents()).toEqual(
    expect.arrayContaining([expect.stringMatching(/Navigate/), expect.stringMatching(/Click/)]),
  )
  expect(complaints).toEqual([])
  expect([...hosts].filter((host) => host !== '' && host !== new URL(tabwire.url).host)).toEqual([])
  await page.close()
})

test('opens what a session recorded, by viewerUrl', async () => {
  const { id } = await sessions.start(
    {
      record: ['TRACE'],
      initialPrompt: `http://127.0.0.1:${(site.address() as AddressInfo).port}/`,
    },
    'LOADED',
  )
  await sessions.terminate(id)
  const query = 'query ($id: ID!) { session(id: $id) { artifacts(kind: TRACE) { nodes { viewerUrl } } } }'
  type Traces = { session: { artifacts: { nodes: { viewerUrl: string }[] } } }
  const { nodes } = (await tabwire.query<Traces>(query, { id })).session.artifacts
  const page = await browser.newPage()
  await page.goto(nodes[0]!.viewerUrl)
  await expect.poll(() => page.getByRole('treeitem').count()).toBeGreaterThan(0)
  await page.close()
})

test('is made of static files that are fetched from nowhere else', async () => {
  const index = await fetch(`${tabwire.url}/trace/`)
  expect([index.status, index.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
  const policy = index.headers.get('content-security-policy')!
  expect(policy).toContain("default-src 'none'")
  expect(policy).not.toMatch(/https?:|\*|unsafe-eval|script-src[^;]*unsafe-inline/)
  const redirected = await fetch(`${tabwire.url}/trace?trace=x`, { redirect: 'manual' })
  expect([redirected.status, redirected.headers.get('location')]).toEqual([302, 'trace/'])
  for (const path of [
    'nothing.js',
    '../../package.json',
    '%2e%2e/%2e%2e/package.json',
    '.hidden',
    'assets',
    'a%00b',
    '%',
  ]) {
    expect((await fetch(`${tabwire.url}/trace/${path}`)).status).toBe(404)
  }
  expect((await fetch(`${tabwire.url}/trace/`, { method: 'POST' })).status).toBe(405)
  expect((await fetch(`${tabwire.url}/trace/sw.bundle.js`, { method: 'HEAD' })).status).toBe(200)
})
