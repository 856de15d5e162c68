import { beforeAll, describe, expect, test } from 'vitest'
import { actionApi } from '../support/action-api.ts'
import { CdpSocket } from '../support/cdp-socket.ts'
import { ofKind } from '../support/connect-api.ts'
import { freePort } from '../support/free-port.ts'
import { navigationApi, NAVIGATED, type Navigated } from '../support/navigation-api.ts'
import { startPagesSite } from '../support/pages-site.ts'
import { withApp } from '../support/with-app.ts'

const METADATA = 'http://169.254.169.254/latest'
const pages = {
  '/': '<title>Home</title><a id="on" href="/next">on</a>',
  '/next': '<title>Next</title>',
  '/frame': '<title>Frame</title><iframe src="http://no-such-host.invalid/"></iframe>',
  '/opener': '<title>Opener</title>',
  '/file.bin': 'bytes',
}

const { tabwire, site, start, terminate, untilLogged, cdpUrlOf } = withApp(
  () => startPagesSite(pages, { '/to-metadata': METADATA }),
  { warmBrowsers: 1 },
  { deadlines: { firstPage: 600_000 } },
)
const { startAt, navigated } = navigationApi(tabwire)
const { run, logged } = actionApi(tabwire)

/** With a timeout long enough for a slow machine: failures here have other causes. */
const to = (url: string) => ({ navigate: { url, timeoutMs: 120_000 } })

/** An unused port. */
let refusedUrl: string

beforeAll(async () => {
  refusedUrl = `http://127.0.0.1:${await freePort()}/`
})

const failures = [
  ['refuses connections', () => refusedUrl, 'NAVIGATION_FAILED', 'net::ERR_CONNECTION_REFUSED'],
  ['cannot be resolved', () => 'http://no-such-host.invalid/', 'NAVIGATION_FAILED', 'net::ERR_NAME_NOT_RESOLVED'],
  ['leads to where no page may go', () => `${site().url}/to-metadata`, 'BLOCKED', '169.254.169.254'],
] as const

describe('a host that', () => {
  test.each(failures)('%s: the start says so, and so does the log', async (_, url, code, words) => {
    const before = Date.now()
    const session = await startAt(url())
    const error = { url: url(), code, message: expect.stringContaining(words), at: expect.any(String) }
    expect(session).toMatchObject({ status: 'RUNNING', lastNavigationError: error })
    expect(Date.parse(session.lastNavigationError!.at)).toBeGreaterThanOrEqual(before)
    // The session has its error before the log has the entry.
    await expect.poll(() => logged(session.id)).toHaveLength(1)
    const [entry] = await logged(session.id)
    expect(entry).toMatchObject({ type: 'NAVIGATE', origin: 'API', success: false, details: { url: url() } })
    expect(entry!.error).toEqual({ code, message: session.lastNavigationError!.message })
    await terminate(session.id)
  })

  test.each(failures)('%s: navigate says so, until one works', async (_, url, code, words) => {
    const { id, lastNavigationError } = await startAt(`${site().url}/`)
    expect(lastNavigationError).toBeNull()
    const [failed] = await run(id, [to(url())])
    expect(failed!.error).toEqual({ code, message: expect.stringContaining(words) })
    expect((await navigated(id)).lastNavigationError).toMatchObject({ url: url(), ...failed!.error })
    await run(id, [to(`${site().url}/next`)])
    const arrived = { currentUrl: `${site().url}/next`, lastNavigationError: null }
    await expect.poll(() => navigated(id)).toMatchObject(arrived)
    await terminate(id)
  })
})

describe('what failed', () => {
  test('is kept when the session has ended', async () => {
    const { id, lastNavigationError } = await startAt(refusedUrl)
    await terminate(id)
    expect(await navigated(id)).toMatchObject({ status: 'CLOSED', lastNavigationError })
    expect(lastNavigationError).not.toBeNull()
  })

  test('is not kept where a later navigation worked', async () => {
    const { id } = await startAt(refusedUrl)
    await run(id, [to(`${site().url}/`)])
    await terminate(id)
    expect(await navigated(id)).toMatchObject({ status: 'CLOSED', lastNavigationError: null })
  })

  test('is told to who follows the session, and that it is over', async () => {
    const { id } = await startAt(`${site().url}/`)
    const query = `subscription ($id: ID!) { sessionChanged(id: $id) { ${NAVIGATED} } }`
    const changes = tabwire().client().iterate<{ sessionChanged: Navigated }>({ query, variables: { id } })
    const until = async (isIt: (session: Navigated) => boolean) => {
      for (;;) {
        const { value } = await changes.next()
        if (!value || isIt(value.data!.sessionChanged)) return value?.data?.sessionChanged
      }
    }
    await run(id, [to(refusedUrl)])
    const failed = await until(({ lastNavigationError }) => lastNavigationError !== null)
    expect(failed?.lastNavigationError?.url).toBe(refusedUrl)
    await run(id, [to('about:blank')])
    expect(await until(({ lastNavigationError }) => lastNavigationError === null)).toBeDefined()
    await terminate(id)
    await changes.return!()
  })

  test('is over when the page itself goes somewhere, not when another page does', async () => {
    const { id } = await startAt(`${site().url}/opener`)
    await run(id, [{ openPage: { url: `${site().url}/`, timeoutMs: 120_000 } }, to(refusedUrl)])
    const popup = `window.open('${site().url}/next'); 0`
    await run(id, [{ evaluate: { expression: popup } }])
    await expect.poll(async () => (await pagesOf(id)).at(-1)).toBe(`${site().url}/next`)
    expect((await navigated(id)).lastNavigationError?.url).toBe(refusedUrl)
    const [, failedPage] = await pageIdsOf(id)
    await run(id, [{ evaluate: { expression: `location.href = '${site().url}/next'; 0` } }], failedPage)
    await expect.poll(async () => (await navigated(id)).lastNavigationError).toBeNull()
    await terminate(id)
  })

  test('is kept when a client opens another page, not when it navigates the one that failed', async () => {
    const { id } = await startAt(refusedUrl)
    const client = await CdpSocket.connect(await cdpUrlOf(id))
    const { sessionId } = await client.attachToPage()
    await client.send('Target.createTarget', { url: 'about:blank' })
    await untilLogged(id, (log) => ofKind(log, 'Action').some(({ type }) => type === 'OPEN_PAGE'))
    expect((await navigated(id)).lastNavigationError?.url).toBe(refusedUrl)
    await client.send('Page.navigate', { url: `${site().url}/next` }, sessionId)
    await expect.poll(async () => (await navigated(id)).lastNavigationError).toBeNull()
    await client[Symbol.asyncDispose]()
    await terminate(id)
  })

  test('is no frame within a page, and no file', async () => {
    const { id, lastNavigationError } = await startAt(`${site().url}/frame`)
    expect(lastNavigationError).toBeNull()
    await run(id, [to(`${site().url}/file.bin`)])
    expect((await navigated(id)).lastNavigationError).toBeNull()
    await terminate(id)
    const started = await start({ initialPrompt: `${site().url}/file.bin` })
    await untilLogged(started.id, (log) => ofKind(log, 'Download').length > 0)
    await terminate(started.id)
    // Its outcome is known by its end.
    expect((await navigated(started.id)).lastNavigationError).toBeNull()
    expect(await logged(started.id)).toEqual([])
  })

  test('is no step that was not taken', async () => {
    const { id } = await startAt(`${site().url}/`)
    const [, skipped] = await run(id, [{ click: { target: { css: '#none' }, timeoutMs: 1 } }, to(refusedUrl)])
    expect(skipped!.error?.code).toBe('SKIPPED')
    expect((await navigated(id)).lastNavigationError).toBeNull()
    await terminate(id)
  })
})

type Pages = { session: { pages: { id: string; url: string }[] } }
const pagesQuery = 'query ($id: ID!) { session(id: $id) { pages { id url } } }'
const pagesOf = async (id: string) =>
  (await tabwire().query<Pages>(pagesQuery, { id })).session.pages.map(({ url }) => url)
const pageIdsOf = async (id: string) =>
  (await tabwire().query<Pages>(pagesQuery, { id })).session.pages.map((page) => page.id)
