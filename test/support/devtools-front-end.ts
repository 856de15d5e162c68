import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type Page } from 'playwright'
import { findBrowserExecutable } from '../../src/adapters/playwright/launch/browser-executable.ts'

/** A request as the Network panel of DevTools has it after an import. */
export interface ImportedRequest {
  method: string
  url: string
  startedDateTime: string
  status: number
  statusText: string
  type: string
  mimeType: string
  protocol: string
  priority: string | null
  remoteAddress: string
  transferSize: number
  resourceSize: number
  isFromMemory: boolean
  isFromDisk: boolean
  isFromServiceWorker: boolean
  requestHeaders: { name: string; value: string }[]
  responseHeaders: { name: string; value: string }[]
  /** name=value of the cookies. */
  requestCookies: string[]
  responseCookies: string[]
  form: string | null
  body: { isText: boolean; text: string }
  initiator: { type: string; url: string; line: number | null; column: number | null; calls: string[] }
  frames: { type: string; opCode: number; text: string }[]
  events: { eventName: string; eventId: string; data: string }[]
  /** Milliseconds of the whole and of each phase; -1 if it has none. */
  duration: number
  phases: { dns: number; connect: number; ssl: number; wait: number }
}

export interface DevTools extends AsyncDisposable {
  page: Page
  /** Imports a HAR through the panel's file input, and returns all requests that the panel then has, by their start. */
  importHar(path: string): Promise<ImportedRequest[]>
  /** The text of the cells of each row that the panel shows. */
  rows(): Promise<string[][]>
}

const ROW = '.network-log-grid tr.data-grid-data-grid-node'

/** The Network panel of the DevTools that the installed browser brings along, attached to a blank page of its own. */
export async function openDevTools(): Promise<DevTools> {
  const folder = await mkdtemp(join(tmpdir(), 'tw-devtools-'))
  const context = await chromium.launchPersistentContext(folder, {
    executablePath: findBrowserExecutable(process.env['TABWIRE_BROWSER_PATH'] ?? null),
    // The front end is served at the port, and connects to it from there.
    args: ['--no-sandbox', '--remote-debugging-port=0', '--remote-allow-origins=*'],
    viewport: { width: 1600, height: 1000 },
  })
  const close = async () => {
    await context.close()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const [port] = (await readFile(join(folder, 'DevToolsActivePort'), 'utf8')).split('\n')
    const targets = await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()
    const inspected = (targets as { id: string; type: string }[]).find(({ type }) => type === 'page')!
    const page = await context.newPage()
    const query = `ws=127.0.0.1:${port}/devtools/page/${inspected.id}&panel=network`
    await page.goto(`http://127.0.0.1:${port}/devtools/devtools_app.html?${query}`)
    return {
      page,
      importHar: async (path) => {
        // The button opens a dialog for files, whose input is outside of the document until then.
        const [chooser] = await Promise.all([
          page.waitForEvent('filechooser'),
          page.getByRole('button', { name: 'Import HAR' }).click(),
        ])
        await chooser.setFiles(path)
        // All at once, when the file has been read.
        await page.locator(ROW).first().waitFor()
        return readRequests(page)
      },
      rows: () => readRows(page),
      [Symbol.asyncDispose]: close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** Of the front end's own objects, what is read below. */
interface FrontEndRequest {
  requestMethod: string
  statusCode: number
  statusText: string
  mimeType: string
  protocol: string
  transferSize: number
  resourceSize: number
  fetchedViaServiceWorker: boolean
  responseHeaders: { name: string; value: string }[]
  responseCookies: FrontEndCookie[]
  duration: number
  timing: Record<
    'dnsStart' | 'dnsEnd' | 'connectStart' | 'connectEnd' | 'sslStart' | 'sslEnd' | 'sendEnd' | 'receiveHeadersEnd',
    number
  >
  url(): string
  issueTime(): number
  resourceType(): { name(): string }
  priority(): string | null
  remoteAddress(): string
  cachedInMemory(): boolean
  cached(): boolean
  requestHeaders(): { name: string; value: string }[]
  includedRequestCookies(): { cookie: FrontEndCookie }[]
  requestFormData(): Promise<string | null>
  requestContentData(): Promise<{ isTextContent: boolean; text: string; base64: string }>
  frames(): { type: string; opCode: number; text: string }[]
  eventSourceMessages(): { eventName: string; eventId: string; data: string }[]
}
interface FrontEndCookie {
  name(): string
  value(): string
}
interface FrontEnd {
  NetworkLog: {
    NetworkLog: {
      instance(): {
        requests(): FrontEndRequest[]
        initiatorInfoForRequest(request: FrontEndRequest): {
          type: string
          url: string
          lineNumber: number | undefined
          columnNumber: number | undefined
          stack: {
            callFrames: { functionName: string; url: string; lineNumber: number; columnNumber: number }[]
          } | null
        }
      }
    }
  }
}

/** From the objects that the panel draws its table and details from. */
function readRequests(page: Page): Promise<ImportedRequest[]> {
  return page.evaluate(async () => {
    const path: string = '/devtools/models/logs/logs.js'
    const { NetworkLog } = (await import(path)) as FrontEnd
    const log = NetworkLog.NetworkLog.instance()
    const pair = (cookie: FrontEndCookie) => `${cookie.name()}=${cookie.value()}`
    const phase = (start: number, end: number) => (start < 0 ? -1 : Math.round((end - start) * 1000) / 1000)
    return Promise.all(
      log.requests().map(async (request) => {
        const initiator = log.initiatorInfoForRequest(request)
        const content = await request.requestContentData()
        const { timing } = request
        return {
          method: request.requestMethod,
          url: request.url(),
          startedDateTime: new Date(request.issueTime() * 1000).toISOString(),
          status: request.statusCode,
          statusText: request.statusText,
          type: request.resourceType().name(),
          mimeType: request.mimeType,
          protocol: request.protocol,
          priority: request.priority(),
          remoteAddress: request.remoteAddress(),
          transferSize: request.transferSize,
          resourceSize: request.resourceSize,
          isFromMemory: request.cachedInMemory(),
          isFromDisk: request.cached() && !request.cachedInMemory(),
          isFromServiceWorker: request.fetchedViaServiceWorker,
          requestHeaders: request.requestHeaders().map(({ name, value }) => ({ name, value })),
          responseHeaders: request.responseHeaders.map(({ name, value }) => ({ name, value })),
          requestCookies: request.includedRequestCookies().map(({ cookie }) => pair(cookie)),
          responseCookies: request.responseCookies.map(pair),
          form: await request.requestFormData(),
          body: { isText: content.isTextContent, text: content.isTextContent ? content.text : content.base64 },
          initiator: {
            type: initiator.type,
            url: initiator.url,
            line: initiator.lineNumber ?? null,
            column: initiator.columnNumber ?? null,
            calls: (initiator.stack?.callFrames ?? []).map(
              ({ functionName, url, lineNumber, columnNumber }) =>
                `${functionName} ${url}:${lineNumber}:${columnNumber}`,
            ),
          },
          frames: request.frames().map(({ type, opCode, text }) => ({ type, opCode, text })),
          events: request.eventSourceMessages().map(({ eventName, eventId, data }) => ({ eventName, eventId, data })),
          duration: Math.round(request.duration * 1_000_000) / 1000,
          phases: {
            dns: phase(timing.dnsStart, timing.dnsEnd),
            connect: phase(timing.connectStart, timing.connectEnd),
            ssl: phase(timing.sslStart, timing.sslEnd),
            wait: phase(timing.sendEnd, timing.receiveHeadersEnd),
          },
        }
      }),
    )
  })
}

function readRows(page: Page): Promise<string[][]> {
  return page
    .locator(ROW)
    .evaluateAll((rows) => rows.map((row) => [...row.querySelectorAll('td')].map((cell) => cell.innerText)))
}
