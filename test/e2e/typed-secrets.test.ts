import { expect, test } from 'vitest'
import { actionApi } from '../support/action-api.ts'
import { CdpSocket } from '../support/cdp-socket.ts'
import { startLoginSite } from '../support/site-login.ts'
import { readEntireLog } from '../support/entire-log.ts'
import { withApp } from '../support/with-app.ts'

const { tabwire, site, start, recorded, terminate, cdpUrlOf } = withApp(startLoginSite)
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
  // A session that ends does not wait long for bodies.
  await recorded(id)
  await terminate(id)
  const fields = 'url requestHeaders requestBody { text base64 } requestBodyOmitted responseBody { text }'
  const log = await readEntireLog<Request>(tabwire(), id, fields, { connection: 'networkRequests' })
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

test('what the log masks in URLs of requests, it masks in those of actions and navigation errors, too', async () => {
  const away = 'http://127.0.0.1:1/callback?access_token=t0ken-of-ann&state=1'
  const { id } = await start({ initialPrompt: away }, 'LOADED')
  const timeoutMs = 60_000
  await run(id, [
    { navigate: { url: `${site().url.replace('//', '//ann:pa55-of-ann@')}/?access_token=t0ken-of-ann`, timeoutMs } },
  ])
  const [refused] = await run(id, [{ navigate: { url: away, timeoutMs } }])
  expect(refused).toMatchObject({ details: { url: away.replace('t0ken-of-ann', '[redacted]') }, success: false })
  const error = `query ($id: ID!) { session(id: $id) { lastNavigationError { url code message } } }`
  const { session } = await tabwire().query<{ session: { lastNavigationError: object } }>(error, { id })
  expect(session.lastNavigationError).toMatchObject({ url: refused!.details['url'], message: refused!.error!.message })
  await terminate(id)
  const log = await readEntireLog(
    tabwire(),
    id,
    `... on Action { details error { message } } ... on Navigation { url }`,
  )
  expect(log.length).toBeGreaterThan(3)
  expect(JSON.stringify([session, refused, log])).not.toMatch(/t0ken|pa55/)
})

const TYPED = 'Pa55"w0rd!'
/** As JSON, URLs and forms have it. */
const LEAK = /55.{0,6}w0r/

const EXPORT = `query ($id: ID!, $format: LogExportFormat!) { exportLog(sessionId: $id, format: $format) { url } }`
const DISPATCH = `mutation ($id: ID!, $events: [InputEvent!]!) { dispatchInput(sessionId: $id, events: $events) }`

async function dispatch(id: string, events: object[]): Promise<void> {
  expect(await tabwire().query(DISPATCH, { id, events })).toEqual({ dispatchInput: true })
}

async function evaluate(id: string, expression: string): Promise<unknown> {
  const [step] = await run(id, [{ evaluate: { expression, timeoutMs: 60_000 } }])
  expect(step!.error).toBeNull()
  return step!.result
}

/** Keys of a client of the protocol, each after the answer to the one before, as libraries send them. */
async function typedByClient(id: string, type: (client: CdpSocket, sessionId: string) => Promise<void>): Promise<void> {
  await using client = await CdpSocket.connect(await cdpUrlOf(id))
  const { sessionId } = await client.attachToPage()
  await type(client, sessionId)
}

const key = (type: string, name: string) => ({ key: { type, key: name } })

const WAYS: Record<string, (id: string, text: string) => Promise<void>> = {
  'press into the field': async (id, text) => {
    const target = { css: 'input:focus' }
    await run(
      id,
      Array.from(text).map((one) => ({ press: { key: one, target, timeoutMs: 60_000 } })),
    )
  },
  'press into what has the focus': async (id, text) => {
    await run(
      id,
      Array.from(text).map((one) => ({ press: { key: one, timeoutMs: 60_000 } })),
    )
  },
  'keys of the live view': async (id, text) => {
    await dispatch(
      id,
      Array.from(text).flatMap((one) => [key('DOWN', one), key('UP', one)]),
    )
  },
  'a text of the live view': (id, text) => dispatch(id, [{ text: { text } }]),
  'two texts of the live view, one put right': async (id, text) => {
    await dispatch(id, [{ text: { text: `${text.slice(0, 4)}x` } }, key('DOWN', 'Backspace'), key('UP', 'Backspace')])
    await dispatch(id, [{ text: { text: text.slice(4) } }])
  },
  'what the live view pastes': (id, text) => dispatch(id, [{ paste: { text } }]),
  'keys of a client': (id, text) =>
    typedByClient(id, async (client, sessionId) => {
      for (const one of text) {
        await client.send('Input.dispatchKeyEvent', { type: 'keyDown', key: one, text: one }, sessionId)
        await client.send('Input.dispatchKeyEvent', { type: 'keyUp', key: one }, sessionId)
      }
    }),
  'texts of a client': (id, text) =>
    typedByClient(id, async (client, sessionId) => {
      for (const part of [text.slice(0, 5), text.slice(5)])
        await client.send('Input.insertText', { text: part }, sessionId)
    }),
}

test.each(Object.keys(WAYS))(
  'a password typed by %s is in no entry, body, HAR and export; what is beside it is',
  async (way) => {
    const { id } = await start({ capture: { bodies: 'ALL' } })
    const type = WAYS[way]!
    await run(id, [{ navigate: { url: site().url, timeoutMs: 60_000 } }])
    await evaluate(id, 'document.querySelector("#user").focus(), 1')
    await type(id, 'ann the user')
    await evaluate(id, 'document.querySelector("#pw").focus(), 1')
    await type(id, TYPED)
    // Told by its length, since the script is in the log.
    expect(await evaluate(id, '[values().user, values().pw.length]')).toEqual(['ann the user', TYPED.length])
    await evaluate(
      id,
      `(async () => { for (const way of ['json', 'form', 'multipart', 'query', 'path']) await (await window.send[way]()).text() })()`,
    )
    await recorded(id)
    await terminate(id)
    const fields = 'url requestBody { text base64 } responseBody { text }'
    const log = await readEntireLog<Request>(tabwire(), id, fields, { connection: 'networkRequests' })
    const decoded = log.map((one) => [one, Buffer.from(one.requestBody?.base64 ?? '', 'base64').toString('latin1')])
    expect(JSON.stringify(decoded)).not.toMatch(LEAK)
    const of = (path: string) => log.find(({ url }) => url.startsWith(`${site().url}/${path}`))!
    expect(of('query').url).toBe(`${site().url}/query?user=ann+the+user&pw=[redacted]&note=`)
    expect(of('path').url).toBe(`${site().url}/path/[redacted]`)
    expect(of('form').requestBody?.text).toBe('user=ann+the+user&pw=[redacted]&note=')
    for (const format of ['HAR', 'NDJSON']) {
      const { exportLog } = await tabwire().query<{ exportLog: { url: string } }>(EXPORT, { id, format })
      const exported = await (await fetch(exportLog.url)).text()
      expect(exported).toContain('user=ann+the+user')
      expect(exported).not.toMatch(LEAK)
    }
  },
)
