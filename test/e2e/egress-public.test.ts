import { expect, test } from 'vitest'
import { actionApi } from '../support/action-api.ts'
import { browsersOf } from '../support/browser-processes.ts'
import { startPagesSite } from '../support/pages-site.ts'
import { withApp } from '../support/with-app.ts'

const { tabwire, site, start, get, recorded, terminate } = withApp(
  () => startPagesSite({ '/': '<title>Allowed</title>' }),
  {
    egress: { mode: 'PUBLIC', allow: ['127.0.0.1'] },
  },
)
const { run } = actionApi(tabwire)

test('a session takes the browser that is kept ready, whose only way out is its proxy', async () => {
  const warm = async () => (await browsersOf(process.pid)).map(({ pid }) => pid)
  await expect.poll(warm).toHaveLength(1)
  const [ready] = await warm()
  const session = await start({ allowedHosts: ['127.0.0.1'], initialPrompt: site().url }, 'LOADED')
  await expect.poll(async () => (await get(session.id))?.title).toBe('Allowed')
  // Another one is made ready beside it.
  await expect.poll(warm).toHaveLength(2)
  expect(await warm()).toContain(ready)
  for (const { command } of await browsersOf(process.pid)) {
    expect(command).toMatch(/--proxy-server=socks5:\/\/127\.0\.0\.1:\d+ --proxy-bypass-list=<-loopback> /)
  }
  await terminate(session.id)
})

test('what is not public is BLOCKED, and the refusal names the variable', async () => {
  const elsewhere = site().url.replace('127.0.0.1', 'localhost')
  const refused = await tabwire().send(`mutation { startSession(input: { initialPrompt: "http://10.0.0.1/" }) { id } }`)
  expect(refused.errors?.[0]).toMatchObject({
    message: expect.stringContaining('TABWIRE_EGRESS'),
    extensions: { issues: [{ path: ['input', 'initialPrompt'], code: 'FORBIDDEN_VALUE' }] },
  })
  // As a name it leads to [::1], too, which is not allowed, yet the address that is suffices.
  const { id } = await start({ initialPrompt: elsewhere }, 'LOADED')
  const steps = await run(id, [{ navigate: { url: 'http://[::1]:1/' } }])
  expect(steps[0]!.error).toMatchObject({ code: 'BLOCKED', message: expect.stringContaining('TABWIRE_EGRESS') })
  await recorded(id)
  const query = `query ($id: ID!) { session(id: $id) { egress allowedHosts proxy networkRequests { nodes { failure remoteAddress } } } }`
  expect(await tabwire().query(query, { id })).toEqual({
    session: {
      egress: 'PUBLIC',
      allowedHosts: null,
      proxy: null,
      networkRequests: { nodes: [{ failure: null, remoteAddress: new URL(site().url).host }] },
    },
  })
  await terminate(id)
})
