import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { CdpSocket } from '../support/cdp-socket.ts'
import { ofKind, type LoggedEntry } from '../support/connect-api.ts'
import { startTestSite } from '../support/test-site.ts'
import { withApp } from '../support/with-app.ts'

const { site, start, terminate, get, cdpUrlOf, logOf, untilLogged } = withApp(startTestSite)

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** A command that the browser accepts but never answers. */
const NEVER = { expression: 'new Promise(() => {})', awaitPromise: true }

// Megabytes and thousands of commands: all are awaited, regardless of how long they take.
describe('clients that misbehave', { timeout: 180_000 }, () => {
  test('garbage is answered, a message that is no text ends the connection; the session and its others go on', async () => {
    const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
    const url = await cdpUrlOf(session.id)
    await using good = await CdpSocket.connect(url)
    const bad = await CdpSocket.connect(url)
    const garbage = ['not json', '[]', '7', 'null', '{}', '{"id":"x","method":"a.b"}', '{"id":1.5,"method":"a.b"}']
    for (const text of garbage) bad.socket.send(text)
    bad.socket.send('{"id":2,"method":"Target.getTargets","params":[]}')
    await expect.poll(() => bad.strays.length, { timeout: 60_000 }).toBe(garbage.length + 1)
    expect(bad.strays.map(({ error }) => error?.code)).toEqual([-32_700, ...Array.from({ length: 7 }, () => -32_600)])
    bad.socket.send(Buffer.from([1, 2, 3]))
    expect(await bad.closed).toMatchObject({ code: 1003 })
    expect(await good.send('Target.getTargets')).toBeTruthy()
    await terminate(session.id)
  })

  test('a message that is too large ends the connection, a large one does not', async () => {
    const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
    const url = await cdpUrlOf(session.id)
    await using good = await CdpSocket.connect(url)
    const { sessionId } = await good.attachToPage()
    const expression = `"${'x'.repeat(20_000_000)}".length`
    expect(await good.send('Runtime.evaluate', { expression }, sessionId)).toMatchObject({
      result: { value: 20_000_000 },
    })
    const bad = await CdpSocket.connect(url)
    bad.socket.send(JSON.stringify({ id: 1, method: 'Target.getTargets', params: { filler: 'x'.repeat(2 ** 26) } }))
    expect(await bad.closed).toMatchObject({ code: 1009 })
    const log = await untilLogged(session.id, (entries) => ofKind(entries, 'ClientDetached').length === 1)
    expect(ofKind(log, 'ClientDetached')).toMatchObject([{ clientId: 2, detachReason: 'CUT_OFF' }])
    expect(await good.send('Target.getTargets')).toBeTruthy()
    await terminate(session.id)
  })

  test('texts of any kind arrive whole in commands of megabytes', async () => {
    const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
    await using client = await CdpSocket.connect(await cdpUrlOf(session.id))
    const { sessionId } = await client.attachToPage()
    const text = '"\\\n\u2028é€😀'.repeat(500_000)
    const ask = { functionDeclaration: '(given, n) => [given.length, given.slice(0, 20), n]', returnByValue: true }
    const { result: page } = (await client.send('Runtime.evaluate', { expression: 'globalThis' }, sessionId)) as {
      result: { objectId: string }
    }
    const args = [{ value: text }, { value: 5 }]
    const given = { ...ask, objectId: page.objectId, arguments: args }
    expect(await client.send('Runtime.callFunctionOn', given, sessionId)).toMatchObject({
      result: { value: [text.length, text.slice(0, 20), 5] },
    })
    expect(await client.send('Target.getTargets')).toBeTruthy()
    await terminate(session.id)
  })

  test('one client more than a session may have is turned away, until one leaves', async () => {
    const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
    const url = await cdpUrlOf(session.id)
    const clients = await Promise.all(Array.from({ length: 20 }, () => CdpSocket.connect(url)))
    for (const client of clients) expect(await client.send('Target.getTargets')).toBeTruthy()
    const late = await CdpSocket.connect(url)
    expect(await late.closed).toMatchObject({ code: 1013, reason: expect.stringContaining('20 clients') as string })
    await clients.pop()![Symbol.asyncDispose]()
    await untilLogged(session.id, (entries) => ofKind(entries, 'ClientDetached').length === 1)
    await using next = await CdpSocket.connect(url)
    expect(await next.send('Target.getTargets')).toBeTruthy()
    await terminate(session.id)
    await Promise.all(clients.map(({ closed }) => closed))
  })

  test('a command that is nested too deep, or has too many values, is refused and costs nothing else', async () => {
    const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
    await using client = await CdpSocket.connect(await cdpUrlOf(session.id))
    const levels = 50_000
    const deep = `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`
    client.socket.send(`{"id":1000,"method":"Browser.getVersion","params":${deep}}`)
    await expect.poll(() => client.strays, { timeout: 60_000 }).toMatchObject([{ id: 1000, error: { code: -32_600 } }])
    // Parsing them would block everyone. Written out, each has 21 digits: 120 MB, and a browser that receives more than 100 MB ends.
    const long = `[${'1e20,'.repeat(5_500_000)}1]`
    client.socket.send(`{"id":1001,"method":"Browser.getVersion","params":{"x":${long}}}`)
    await expect
      .poll(() => client.strays.slice(1), { timeout: 60_000 })
      .toMatchObject([{ id: 1001, error: { code: -32_600 } }])
    expect(await client.send('Target.getTargets')).toBeTruthy()
    expect((await get(session.id))!.status).toBe('RUNNING')
    await terminate(session.id)
  })

  test('one that breaks off in the middle of a message leaves no trace but its entries', async () => {
    const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
    const client = await CdpSocket.connect(await cdpUrlOf(session.id))
    const { sessionId } = await client.attachToPage()
    client.socket.send(`{"id":99,"method":"Runtime.evaluate","sessionId":"${sessionId}","params":{"expr`, {
      fin: false,
    })
    client.socket.terminate()
    const log = await untilLogged(session.id, (entries) => ofKind(entries, 'ClientDetached').length === 1)
    expect(ofKind(log, 'ClientDetached')[0]).toMatchObject({ detachReason: 'CONNECTION_LOST', name: 'unknown' })
    expect((await get(session.id))!.status).toBe('RUNNING')
    await terminate(session.id)
  })

  test('a flood of commands is answered whole and in order, while another client works', async () => {
    const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
    const url = await cdpUrlOf(session.id)
    await using flooding = await CdpSocket.connect(url)
    await using working = await CdpSocket.connect(url)
    const answers: number[] = []
    const flood = Array.from({ length: 10_000 }, (_, index) =>
      flooding.ask('Target.getTargets').then(({ result }) => void (result && answers.push(index))),
    )
    expect(await working.send('Target.getTargets')).toBeTruthy()
    await Promise.all(flood)
    expect(answers).toEqual(Array.from({ length: 10_000 }, (_, index) => index))
    await terminate(session.id)
  })

  test('commands that the browser never answers hold up neither later ones nor the end of the connection', async () => {
    const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
    const client = await CdpSocket.connect(await cdpUrlOf(session.id))
    const { sessionId } = await client.attachToPage()
    for (let n = 0; n < 2_500; n += 1) void client.ask('Runtime.evaluate', NEVER, sessionId)
    const later = { expression: '"heard"' }
    expect(await client.send('Runtime.evaluate', later, sessionId)).toMatchObject({ result: { value: 'heard' } })
    for (let n = 0; n < 2_500; n += 1) void client.ask('Runtime.evaluate', NEVER, sessionId)
    client.socket.terminate()
    await untilLogged(session.id, (entries) => ofKind(entries, 'ClientDetached').length === 1)
    await terminate(session.id)
  })

  test('one that leaves more commands without an answer than anyone can mean is cut off', async () => {
    const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
    const client = await CdpSocket.connect(await cdpUrlOf(session.id))
    const { sessionId } = await client.attachToPage()
    for (let n = 0; n < 25_000; n += 1) void client.ask('Runtime.evaluate', NEVER, sessionId)
    expect(await client.closed).toMatchObject({ code: 4008 })
    const log = await untilLogged(session.id, (entries) => ofKind(entries, 'ClientDetached').length === 1)
    expect(ofKind(log, 'ClientDetached')[0]).toMatchObject({ detachReason: 'CUT_OFF' })
    expect((await get(session.id))!.status).toBe('RUNNING')
    await terminate(session.id)
  })

  test('what a command said is not kept until its answer comes', async () => {
    const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
    await using client = await CdpSocket.connect(await cdpUrlOf(session.id))
    const { sessionId } = await client.attachToPage()
    const heldBytes = () => {
      collectGarbage()
      return getHeapStatistics().used_heap_size
    }
    const before = heldBytes()
    const unread = 'x'.repeat(8_000_000)
    for (let n = 0; n < 20; n += 1) void client.ask('Runtime.evaluate', { ...NEVER, unread }, sessionId)
    await client.send('Browser.getVersion')
    await expect.poll(() => heldBytes() - before, { timeout: 60_000 }).toBeLessThan(80_000_000)
    await terminate(session.id)
  })

  test('names of keys and buttons stand cut in the log, however long', async () => {
    const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
    await using client = await CdpSocket.connect(await cdpUrlOf(session.id))
    const { sessionId } = await client.attachToPage()
    await client.ask('Input.dispatchKeyEvent', { type: 'rawKeyDown', key: 'k'.repeat(1_000_000) }, sessionId)
    const press = { type: 'mousePressed', x: 1, y: 1, button: 'b'.repeat(1_000_000) }
    await client.ask('Input.dispatchMouseEvent', press, sessionId)
    const acts = (log: LoggedEntry[]) => ofKind(log, 'Action').filter(({ origin }) => origin === 'CLIENT')
    const log = await untilLogged(session.id, (entries) => acts(entries).length === 2)
    expect(acts(log).map(({ details }) => details)).toEqual([
      { key: `${'k'.repeat(63)}…` },
      { x: 1, y: 1, button: `${'B'.repeat(63)}…` },
    ])
    await terminate(session.id)
  })

  test('one that does not read is cut off; what others and the log hear does not wait for it', async () => {
    const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
    const url = await cdpUrlOf(session.id)
    const stalled = await CdpSocket.connect(url)
    const { sessionId } = await stalled.attachToPage()
    await stalled.send('Runtime.enable', {}, sessionId)
    stalled.socket.pause()
    await using working = await CdpSocket.connect(url)
    const { sessionId: own } = await working.attachToPage()
    // Each line goes to the stalled client whole; in the log it is cut.
    const expression = 'for (let n = 0; n < 20; n += 1) console.log("x".repeat(1_000_000))'
    await expect
      .poll(
        async () => {
          await working.send('Runtime.evaluate', { expression }, own)
          return ofKind(await logOf(session.id), 'ClientDetached').map(({ detachReason }) => detachReason)
        },
        { timeout: 300_000 },
      )
      .toEqual(['CUT_OFF'])
    stalled.socket.terminate()
    expect((await get(session.id))!.status).toBe('RUNNING')
    await terminate(session.id)
    // 80 MB through a browser take a minute on a slow machine.
  }, 360_000)
})
