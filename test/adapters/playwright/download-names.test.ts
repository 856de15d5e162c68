import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import type { BrowserSession } from '../../../src/ports/browser/browser.ts'
import { NO_DEADLINE } from '../../support/time-limits.ts'
import { startTestPool, type TestPool } from './test-pool.ts'

/** By path: the header that names the download. */
const NAMED: Readonly<Record<string, string>> = {
  '/encoded': `attachment; filename="plain.txt"; filename*=UTF-8''%e2%82%ac%20r%C3%A9sum%C3%A9.txt`,
  '/upward': 'attachment; filename="../../../etc/passwd"',
  '/turned': `attachment; filename*=UTF-8''safe%E2%80%AEtxt.exe`,
  '/unnamed': 'attachment',
}

let server: Server
let origin: string
let testPool: TestPool | null = null
let session: BrowserSession | null = null

beforeAll(async () => {
  server = createServer((request, response) => {
    const disposition = NAMED[request.url ?? '']
    if (disposition === undefined) {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
      response.end(`<a id=blob download="blöb.txt">.</a><script>
        blob.href = URL.createObjectURL(new Blob(['blobby'])); blob.click()</script>`)
    } else
      response
        .writeHead(200, { 'content-type': 'application/octet-stream', 'content-disposition': disposition })
        .end('data')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(async () => {
  vi.unstubAllEnvs()
  await session?.close(1_000)
  await testPool?.close()
})

afterAll(async () => {
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
})

test.each([
  ['none', {}],
  ['another encoding', { LC_ALL: 'C' }],
  ['UTF-8', { LANG: 'C.UTF-8' }],
])('downloads have the names that browsers give them, where the locale is: %s', async (_, locale) => {
  for (const name of ['LANG', 'LC_ALL', 'LC_CTYPE']) vi.stubEnv(name, undefined)
  for (const [name, value] of Object.entries(locale)) vi.stubEnv(name, value)
  testPool = await startTestPool({ warm: 0 })
  const started = await testPool.start()
  session = started.session
  const names = () => started.recorder.of('DOWNLOAD').map(({ suggestedFilename }) => suggestedFilename)
  for (const [index, path] of ['/', ...Object.keys(NAMED)].entries()) {
    await session.open(`${origin}${path}`, NO_DEADLINE)
    await expect.poll(() => names().length).toBe(index + 1)
  }
  const expected = ['_.._.._etc_passwd', 'blöb.txt', 'safe_txt.exe', 'unnamed', '€ résumé.txt']
  expect(names().toSorted()).toEqual(expected.toSorted())
})
