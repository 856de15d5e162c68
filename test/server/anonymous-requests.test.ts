import { request } from 'node:http'
import { afterEach, expect, test } from 'vitest'
import { startFakeServer, type FakeOptions, type FakeServer } from './fake-server.ts'

/** Three at once, and practically none later. */
const FEW = { burst: 3, perSecond: 0.001 }

let server: FakeServer
const start = async (options: FakeOptions = {}) =>
  (server = await startFakeServer({ anonymousRequests: FEW, ...options }))
afterEach(() => server.close())

interface Reported {
  status: number
  retryAfter: string | undefined
  code: string | undefined
}

const post = (headers: Record<string, string> = {}, localAddress = '127.0.0.1') =>
  new Promise<Reported>((resolve, reject) => {
    const sent = request(
      `${server.url}/graphql`,
      { method: 'POST', agent: false, localAddress, headers: { 'content-type': 'application/json', ...headers } },
      (response) => {
        let body = ''
        response.on('data', (chunk) => (body += String(chunk)))
        response.once('end', () => {
          const { errors } = JSON.parse(body) as { errors?: { extensions: { code: string } }[] }
          const retryAfter = response.headers['retry-after']
          resolve({ status: response.statusCode!, retryAfter, code: errors?.[0]?.extensions.code })
        })
      },
    )
    sent.on('error', reject)
    sent.end('{"query":"{ capacity { total } }"}')
  })

const REFUSED: Reported = { status: 401, retryAfter: undefined, code: 'UNAUTHENTICATED' }
const LIMITED: Reported = { status: 429, retryAfter: '1000', code: 'RATE_LIMITED' }
const SERVED: Reported = { status: 200, retryAfter: undefined, code: undefined }

async function spend(headers?: Record<string, string>, localAddress?: string): Promise<void> {
  for (let count = 0; count < FEW.burst; count += 1) expect(await post(headers, localAddress)).toEqual(REFUSED)
}

test('without a key, or with a wrong one, an address is told to come back later; keys that are valid are not', async () => {
  await start()
  await spend()
  expect(await post()).toEqual(LIMITED)
  expect(await post({ 'x-api-key': 'wrong' })).toEqual(LIMITED)
  expect(await post({ authorization: 'Bearer wrong' })).toEqual(LIMITED)
  for (let count = 0; count < 2 * FEW.burst; count += 1) expect(await post({ 'x-api-key': 'reader' })).toEqual(SERVED)
  expect(await post({}, '127.0.0.2')).toEqual(REFUSED)
})

test('valid keys spend nothing', async () => {
  await start()
  for (let count = 0; count < 2 * FEW.burst; count += 1) await post({ 'x-api-key': 'reader' })
  await spend()
  expect(await post()).toEqual(LIMITED)
})

test('behind a trusted proxy the client’s address counts; from anyone else what it says of itself does not', async () => {
  await start({ trustedProxies: ['127.0.0.1'] })
  await spend({ 'x-forwarded-for': '192.0.2.1' })
  expect(await post({ 'x-forwarded-for': '192.0.2.1' })).toEqual(LIMITED)
  expect(await post({ 'x-forwarded-for': '192.0.2.2' })).toEqual(REFUSED)
  for (let count = 0; count < FEW.burst; count += 1) {
    expect(await post({ 'x-forwarded-for': `192.0.2.1${count}` }, '127.0.0.2')).toEqual(REFUSED)
  }
  expect(await post({ 'x-forwarded-for': '192.0.2.99' }, '127.0.0.2')).toEqual(LIMITED)
})
