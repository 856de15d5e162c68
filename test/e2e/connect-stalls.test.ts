import { afterEach, describe, expect, test, vi } from 'vitest'
import { PausedTarget } from '../../src/adapters/playwright/cdp/barrier/paused-target.ts'
import { actionApi, outcomes } from '../support/action-api.ts'
import { CdpSocket } from '../support/cdp-socket.ts'
import { startTestSite } from '../support/test-site.ts'
import { withApp } from '../support/with-app.ts'

const { tabwire, site, start, terminate, cdpUrlOf } = withApp(startTestSite)
const { run } = actionApi(tabwire)

const holdNewPages = { autoAttach: true, waitForDebuggerOnStart: true, flatten: true }
const readTitle = [{ evaluate: { expression: 'document.title' } }]

afterEach(() => void vi.restoreAllMocks())

// Several pages, one after another, are each held for seconds.
describe('a client that holds new pages until it has looked at them, and never does', { timeout: 180_000 }, () => {
  test('holds up nobody else for longer than a few seconds', async () => {
    const { id } = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
    const url = await cdpUrlOf(id)
    await using stalled = await CdpSocket.connect(url)
    await stalled.send('Target.setAutoAttach', holdNewPages)
    // How long that is, to the millisecond, is tested beside the barrier.
    const giveUp = vi.spyOn(PausedTarget.prototype, 'giveUp')
    expect(outcomes(await run(id, [{ openPage: { url: `${site().url}/title?second` } }]))).toEqual(['DONE'])
    expect(giveUp).toHaveBeenCalledTimes(1)
    await using other = await CdpSocket.connect(url)
    const { targetId } = await other.send('Target.createTarget', { url: `${site().url}/title?third` })
    const { sessionId } = await other.send('Target.attachToTarget', { targetId, flatten: true })
    const answer = () => other.send('Runtime.evaluate', { expression: 'document.title' }, sessionId as string)
    await expect.poll(answer, { timeout: 30_000 }).toMatchObject({ result: { value: 'A title' } })
    // Targets started by a page that the client inspects: workers, and a popup that a script waits for.
    const { sessionId: own } = await stalled.attachToPage()
    await stalled.send('Target.setAutoAttach', holdNewPages, own)
    await run(id, [{ navigate: { url: `${site().url}/workers` } }], 'p1')
    const popup = `const popup = open('/title?popup'); new Promise((done) => { popup.onload = () => done(popup.document.title) })`
    const [opened] = await run(id, [{ evaluate: { expression: popup } }], 'p1')
    expect(opened).toMatchObject({ error: null, result: 'A title' })
    await terminate(id)
  })

  test('lets go of all that it held when it leaves', async () => {
    const { id } = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
    // Nothing else does, regardless of time.
    vi.spyOn(PausedTarget.prototype, 'giveUp').mockReturnValue()
    const stalled = await CdpSocket.connect(await cdpUrlOf(id))
    await stalled.send('Target.setAutoAttach', holdNewPages)
    const opening = run(id, [{ openPage: { url: `${site().url}/title?second` } }])
    await stalled.event(
      ({ method, params }) => method === 'Target.attachedToTarget' && params!['waitingForDebugger'] === true,
    )
    stalled.socket.terminate()
    expect(outcomes(await opening)).toEqual(['DONE'])
    await terminate(id)
  })

  test('is not hurried where it answers', async () => {
    const { id } = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
    await using client = await CdpSocket.connect(await cdpUrlOf(id))
    await client.send('Target.setAutoAttach', holdNewPages)
    const opening = run(id, [{ openPage: { url: `${site().url}/title?second` } }])
    const { params } = await client.event(
      (event) => event.method === 'Target.attachedToTarget' && event.params!['waitingForDebugger'] === true,
    )
    const sessionId = params!['sessionId'] as string
    await client.send('Page.enable', {}, sessionId)
    await client.send('Page.addScriptToEvaluateOnNewDocument', { source: 'window.early = true' }, sessionId)
    await client.send('Runtime.runIfWaitingForDebugger', {}, sessionId)
    expect(outcomes(await opening)).toEqual(['DONE'])
    expect((await run(id, [{ evaluate: { expression: 'early' } }], 'p2'))[0]!.result).toBe(true)
    await terminate(id)
  })
})

describe('a client that stops a page in its debugger', () => {
  for (const how of ['closes', 'breaks off'] as const) {
    test(`and then ${how} leaves it running`, async () => {
      const { id } = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
      const client = await CdpSocket.connect(await cdpUrlOf(id))
      const { sessionId } = await client.attachToPage()
      await client.send('Debugger.enable', {}, sessionId)
      void client.ask('Runtime.evaluate', { expression: 'debugger; document.title = "went on"' }, sessionId)
      await client.event(({ method }) => method === 'Debugger.paused')
      const reading = run(id, readTitle)
      if (how === 'closes') client.socket.close()
      else client.socket.terminate()
      await client.closed
      expect(outcomes(await reading)).toEqual(['DONE'])
      expect((await run(id, readTitle))[0]).toMatchObject({ error: null, result: 'went on' })
      await terminate(id)
    })
  }
})
