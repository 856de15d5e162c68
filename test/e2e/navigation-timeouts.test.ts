import { expect, test } from 'vitest'
import { actionApi } from '../support/action-api.ts'
import { startLateSite } from '../support/late-site.ts'
import { navigationApi } from '../support/navigation-api.ts'
import { openSilentPort } from '../support/silent-port.ts'
import { withApp } from '../support/with-app.ts'

/** Short for hosts that do not respond, yet long enough to see a response. */
const { tabwire, site, start, terminate } = withApp(startLateSite, { warmBrowsers: 1 }, { deadlines: { firstPage: 1 } })
const { startAt, navigated } = navigationApi(tabwire)
const { run, logged } = actionApi(tabwire)

test('a start at a host that takes no connections says TIMEOUT', async () => {
  const silent = await openSilentPort()
  const url = `http://127.0.0.1:${silent.port}/`
  const session = await startAt(url)
  expect(session).toMatchObject({ status: 'RUNNING', currentUrl: 'about:blank' })
  expect(session.lastNavigationError).toMatchObject({ url, code: 'TIMEOUT', message: expect.stringContaining('1 ms') })
  expect(await logged(session.id)).toMatchObject([{ type: 'NAVIGATE', success: false, error: { code: 'TIMEOUT' } }])
  await terminate(session.id)
  await silent.close()
})

test('one that responds in the end has not failed', async () => {
  const { id, lastNavigationError } = await startAt(`${site().url}/late`)
  expect(lastNavigationError?.code).toBe('TIMEOUT')
  site().release('/late')
  await expect.poll(() => navigated(id)).toMatchObject({ currentUrl: `${site().url}/late`, lastNavigationError: null })
  await terminate(id)
})

test('one that redirects in the end to where no page may go is BLOCKED', async () => {
  const url = `${site().url}/late-redirect?http://169.254.169.254/latest`
  const { id, lastNavigationError } = await startAt(url)
  expect(lastNavigationError?.code).toBe('TIMEOUT')
  site().release('/late-redirect')
  const blocked = { url, code: 'BLOCKED', message: expect.stringContaining('169.254.169.254') }
  await expect.poll(async () => (await navigated(id)).lastNavigationError).toMatchObject(blocked)
  await expect.poll(async () => (await logged(id)).map(({ error }) => error?.code)).toEqual(['TIMEOUT', 'BLOCKED'])
  const { session } = await tabwire().query<{ session: { error: string } }>(
    'query ($id: ID!) { session(id: $id) { error } }',
    { id },
  )
  expect(session.error).toContain('169.254.169.254')
  await terminate(id)
})

test('navigate to a host that does not respond says TIMEOUT, to a page that is not complete it does not', async () => {
  const { id } = await start()
  const never = `${site().url}/never`
  const [failed] = await run(id, [{ navigate: { url: never, timeoutMs: 1 } }])
  expect(failed!.error?.code).toBe('TIMEOUT')
  expect((await navigated(id)).lastNavigationError).toMatchObject({ url: never, code: 'TIMEOUT' })
  const unfinished = `${site().url}/unfinished`
  await run(id, [{ navigate: { url: unfinished, waitUntil: 'COMMIT' } }])
  expect((await navigated(id)).lastNavigationError).toBeNull()
  await terminate(id)
})
