import { expect, test } from 'vitest'
import { actionApi } from '../support/action-api.ts'
import { startLoginSite } from '../support/site-login.ts'
import { wholeLog } from '../support/whole-log.ts'
import { withApp } from '../support/with-app.ts'

const { tabwire, site, start, terminate } = withApp(startLoginSite)
const { run } = actionApi(tabwire)

const SECRET = 'correct "horse" & battery'

interface Request {
  url: string
  requestHeaders: Record<string, string>
  requestBody: { text: string | null; base64: string } | null
  requestBodyOmitted: string | null
  responseBody: { text: string | null } | null
}

test('a password is in no URL, header and body of the log; what is beside it is', async () => {
  const { id } = await start({ redact: { jsonKeys: ['note'], headers: ['accept-language'] } })
  const ways = ['json', 'form', 'multipart', 'query', 'path', 'basic']
  const timeoutMs = 60_000
  const steps = await run(id, [
    { navigate: { url: site().url, timeoutMs } },
    { fill: { target: { css: '#user' }, value: 'ann the user', timeoutMs } },
    { fill: { target: { css: '#pw' }, value: SECRET, timeoutMs } },
    { fill: { target: { css: '#note' }, value: 'a plain note', timeoutMs } },
    {
      evaluate: {
        expression: `(async () => { for (const way of ${JSON.stringify(ways)}) await (await window.send[way]()).text() })()`,
        timeoutMs,
      },
    },
  ])
  expect(steps.map(({ error }) => error)).toEqual(steps.map(() => null))
  await terminate(id)
  const fields = 'url requestHeaders requestBody { text base64 } requestBodyOmitted responseBody { text }'
  const log = await wholeLog<Request>(tabwire(), id, fields, { connection: 'networkRequests' })
  const decoded = log.map((one) => [one, Buffer.from(one.requestBody?.base64 ?? '', 'base64').toString('latin1')])
  expect(JSON.stringify(decoded)).not.toMatch(/horse|battery/)
  const of = (path: string) => log.find(({ url }) => url.startsWith(`${site().url}/${path}`))!
  expect(of('query').url).toBe(`${site().url}/query?user=ann+the+user&pw=[redacted]&note=a+plain+note`)
  expect(of('path').url).toBe(`${site().url}/path/[redacted]`)
  expect(of('basic').requestHeaders['authorization']).toBe('Basic [redacted]')
  expect(of('json').requestHeaders['accept-language'] ?? '[redacted]').toBe('[redacted]')
  for (const [path, sent] of [
    ['json', '{"user":"ann the user","pw":"[redacted]","note":"[redacted]"}'],
    ['form', 'user=ann+the+user&pw=[redacted]&note=a+plain+note'],
  ] as const) {
    const { requestBody, requestBodyOmitted } = of(path)
    expect([requestBodyOmitted, requestBody?.text ?? null]).toEqual([null, sent])
  }
})
