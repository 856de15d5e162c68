import { expect, test } from 'vitest'
import { actionApi } from '../support/action-api.ts'
import { CdpSocket } from '../support/cdp-socket.ts'
import { connectApi, ofKind } from '../support/connect-api.ts'
import { startPagesSite } from '../support/pages-site.ts'
import { withApp } from '../support/with-app.ts'

const { tabwire, site, start, terminate } = withApp(() =>
  startPagesSite(
    {
      '/fine': '<title>Fine</title>',
      '/moves-on': `<script>location = decodeURIComponent(location.search.slice(1))</script>`,
      '/refreshes': `<script>
        const to = decodeURIComponent(location.search.slice(1))
        document.write('<meta http-equiv="refresh" content="0;url=' + to + '">')</script>`,
    },
    { '/redirect': '?to' },
  ),
)
const { run } = actionApi(tabwire)
const { cdpUrlOf, untilLogged } = connectApi(tabwire)
/** Out of reach for sessions that are allowed only the site. */
const ELSEWHERE = 'http://127.0.0.2:8080/'

test('a refusal is told of the step that caused it', async () => {
  const { id } = await start({ allowedHosts: ['127.0.0.1'] })
  const fine = `${site().url}/fine`
  const reported = new Set<string>()
  for (let round = 0; round < 3; round += 1) {
    for (const way of ['moves-on', 'refreshes']) {
      await run(id, [{ navigate: { url: `${site().url}/${way}?${encodeURIComponent(ELSEWHERE + way)}` } }])
      const steps = await run(id, [{ navigate: { url: fine } }])
      for (const { error } of [...steps, ...(await run(id, [{ evaluate: { expression: '1' } }]))]) {
        // The pending navigation of the previous page may win.
        if (error?.code !== 'NAVIGATION_INTERRUPTED') reported.add(error?.message ?? 'done')
      }
    }
  }
  expect([...reported]).toEqual(['done'])
  const [redirected] = await run(id, [{ navigate: { url: `${site().url}/redirect?to=${ELSEWHERE}` } }])
  expect(redirected!.error).toMatchObject({ code: 'BLOCKED', message: expect.stringContaining('allowedHosts') })
  await terminate(id)
})

test('a page that a client opens where it may not get is BLOCKED', async () => {
  const { id } = await start({ allowedHosts: ['127.0.0.1'] })
  const client = await CdpSocket.connect(await cdpUrlOf(id))
  const opened = [ELSEWHERE, `${site().url}/redirect?to=${ELSEWHERE}`, `${site().url}/fine`, 'http://127.0.0.1:1/']
  for (const url of opened) await client.ask('Target.createTarget', { url })
  const log = await untilLogged(id, (entries) => ofKind(entries, 'Action').length === opened.length)
  const reported = ofKind(log, 'Action').map(({ details, type, error }) => [
    (details as { url: string }).url,
    type,
    error,
  ])
  expect(new Map(reported.map(([url, ...how]) => [url, how]))).toEqual(
    new Map(opened.map((url, nth) => [url, ['OPEN_PAGE', nth < 2 ? { code: 'BLOCKED' } : null]])),
  )
  await client[Symbol.asyncDispose]()
  await terminate(id)
})
