import { expect, onTestFinished, test } from 'vitest'
import { CdpSocket } from '../support/cdp-socket.ts'
import { startTestSite } from '../support/test-site.ts'
import { withApp } from '../support/with-app.ts'

const { site, start, get, limit, terminate, cdpUrlOf } = withApp(startTestSite)

/** A session with a client that waits for a response, which the test triggers. */
async function withCommandUnderWay() {
  const { id } = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
  onTestFinished(async () => void (await terminate(id)))
  const client = await CdpSocket.connect(await cdpUrlOf(id))
  onTestFinished(() => client[Symbol.asyncDispose]())
  const { sessionId } = await client.attachToPage()
  const expression = 'new Promise((done) => { globalThis.finish = () => done("done") })'
  const waiting = client.ask('Runtime.evaluate', { expression, awaitPromise: true }, sessionId)
  return { id, client, sessionId, waiting, expiresAt: async () => Date.parse((await get(id))?.expiresAt ?? '') }
}

test('a command under way is activity, its answer too, and then the session is idle', async () => {
  const { id, client, sessionId, waiting, expiresAt } = await withCommandUnderWay()
  await limit(id, { idleTimeoutSeconds: 3 })
  // By more than the idle timeout, which would have ended it.
  const first = await expiresAt()
  await expect.poll(expiresAt, { interval: 200 }).toBeGreaterThan(first + 4_000)
  await client.send('Runtime.evaluate', { expression: 'finish()' }, sessionId)
  expect(await waiting).toMatchObject({ result: { result: { value: 'done' } } })
  expect(await client.closed).toMatchObject({ code: 4001, reason: expect.stringContaining('IDLE_TIMEOUT') as string })
  // By the server's clock not at once, though the command was sent long before.
  await expect.poll(async () => (await get(id))!.endReason).toBe('IDLE_TIMEOUT')
  const { lastActivityAt, endedAt } = (await get(id))!
  expect(Date.parse(endedAt!) - Date.parse(lastActivityAt)).toBeGreaterThanOrEqual(3_000)
})

test('with its client, the command is gone', async () => {
  const { id, client } = await withCommandUnderWay()
  await limit(id, { idleTimeoutSeconds: 3 })
  client.socket.terminate()
  await expect.poll(async () => (await get(id))!.endReason).toBe('IDLE_TIMEOUT')
})

test('a session whose client waits has a longest duration all the same', async () => {
  const { id, client } = await withCommandUnderWay()
  await limit(id, { maxDurationSeconds: 3 })
  expect(await client.closed).toMatchObject({ code: 4001, reason: expect.stringContaining('MAX_DURATION') as string })
})
