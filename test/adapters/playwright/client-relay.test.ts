import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { WAIT_LIMITS } from '../../support/time-limits.ts'
import { attached, scripted, type Sent } from './relay-scene.ts'

test('a client with many commands in flight is not read until half of them are answered', async () => {
  const { attach, read, say } = scripted(1_000_000)
  const { client, ask, got } = await attach()
  const inFlight: Sent[] = []
  const send = () => {
    ask('Target.getTargets')
    inFlight.push(...read())
  }
  const answer = () => say({ id: inFlight.shift()!.id, result: {} })
  for (let sent = 0; sent < 1_999; sent += 1) send()
  expect(client.pause).not.toHaveBeenCalled()
  send()
  expect(client.pause).toHaveBeenCalled()
  for (let answered = 0; answered < 999; answered += 1) answer()
  expect(client.resume).not.toHaveBeenCalled()
  answer()
  expect(client.resume).toHaveBeenCalled()
  expect(got).toHaveLength(1_000)
})

test('while the browser does not read, no client is read', async () => {
  const { attach, read, say, input } = scripted()
  const clients: Awaited<ReturnType<typeof attach>>[] = []
  for (let count = 0; count < 15; count += 1) clients.push(await attach())
  for (const { ask } of clients) ask('Runtime.evaluate', { expression: 'x'.repeat(1_000) })
  for (const { client } of clients) {
    expect(client.pause).toHaveBeenCalledOnce()
    expect(client.resume).not.toHaveBeenCalled()
  }
  // One listener for each would exceed Node's warning threshold.
  expect(input.listenerCount('drain')).toBeLessThan(10)
  const commands: Sent[] = []
  await vi.waitFor(() => {
    commands.push(...read())
    for (const { client } of clients) expect(client.resume).toHaveBeenCalledOnce()
  }, WAIT_LIMITS)
  expect(commands).toHaveLength(clients.length)
  for (const { id } of commands) say({ id, result: {} })
  for (const { got } of clients) expect(got).toEqual([{ id: 1, result: {} }])
})

test('sessions end with the one above them', async () => {
  const { attach, say, read } = scripted()
  const { root, ask, got } = await attach()
  say(attached('page', root))
  say(attached('frame', 'page', 'iframe'))
  say(attached('worker', 'frame', 'worker'))
  say({ method: 'Target.detachedFromTarget', params: { sessionId: 'page' }, sessionId: root })
  read()
  for (const sessionId of ['page', 'frame', 'worker']) ask('Runtime.evaluate', { expression: '1' }, sessionId)
  expect(read()).toEqual([])
  expect(got.slice(-3)).toMatchObject([-32_001, -32_001, -32_001].map((code) => ({ error: { code } })))
})

test('what the browser says of a client that left, before it has let go of it, is nobody else’s', async () => {
  const { attach, say, connection, read } = scripted()
  const received = vi.fn()
  connection.on('Target.attachedToTarget', received)
  const { relay, root } = await attach()
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const detaching = relay.detach()
  const detach = read().find(({ method }) => method === 'Target.detachFromTarget')!
  await vi.advanceTimersByTimeAsync(2_000)
  await detaching
  say(attached('late', root))
  expect(received).not.toHaveBeenCalled()
  say({ id: detach.id, result: {} })
})

test('one that leaves too much unread is cut off once, and hears no more', async () => {
  const { attach, say } = scripted()
  const { root, client, got } = await attach()
  client.unsentBytes = 100_000_000
  for (let count = 0; count < 3; count += 1) say({ method: 'Target.targetCreated', params: {}, sessionId: root })
  expect(client.close).toHaveBeenCalledExactlyOnceWith(4008, 'too much was left unread')
  client.unsentBytes = 0
  say({ method: 'Target.targetCreated', params: {}, sessionId: root })
  expect(got).toEqual([])
})

describe('what a client does is told', () => {
  test('also when what it names is no address', async () => {
    const { ask, acts, got } = await scripted().attach()
    ask('Target.createTarget', { url: { toString: 1 } })
    expect(got).toMatchObject([{ id: 1, error: { code: -32_000 } }])
    expect(acts).toMatchObject([{ type: 'OPEN_PAGE', success: false }])
  })

  test('also when it leaves before it is answered', async () => {
    const { attach, say } = scripted()
    const { relay, root, ask, acts } = await attach()
    say(attached('page', root))
    ask('Page.navigate', { url: 'https://slow.example/' }, 'page')
    ask('Input.dispatchMouseEvent', { type: 'mousePressed', x: 1, y: 2, button: 'left', clickCount: 1 }, 'page')
    expect(acts).toEqual([])
    void relay.detach()
    const error = { message: expect.stringContaining('The connection ended') as string }
    expect(acts).toMatchObject([
      { type: 'NAVIGATE', success: false, error: { ...error, code: 'NAVIGATION_FAILED' } },
      { type: 'CLICK', success: false, error },
    ])
  })

  test('also when the page closes before it has answered', async () => {
    const { attach, say } = scripted()
    const { root, ask, acts, client } = await attach()
    for (let count = 0; count < 30; count += 1) {
      say(attached(`page ${count}`, root))
      ask('Page.navigate', { url: 'https://slow.example/' }, `page ${count}`)
      ask('Page.close', {}, `page ${count}`)
      for (let asked = 0; asked < 1_000; asked += 1) ask('Runtime.evaluate', { expression: '1' }, `page ${count}`)
      say({ method: 'Target.detachedFromTarget', params: { sessionId: `page ${count}` }, sessionId: root })
    }
    expect(acts.slice(0, 2)).toMatchObject([
      { type: 'NAVIGATE', success: false, error: { code: 'PAGE_CLOSED' } },
      { type: 'CLOSE_PAGE', success: true },
    ])
    expect(acts).toHaveLength(60)
    // Commands that the browser will never answer do not count as unanswered.
    expect(client.close).not.toHaveBeenCalled()
  })

  test('also when it was refused', async () => {
    const { attach, say } = scripted()
    const { root, ask, acts } = await attach()
    say(attached('page', root))
    ask('Page.navigate', { url: 'file:///etc/passwd' }, 'page')
    expect(acts).toMatchObject([
      { type: 'NAVIGATE', success: false, error: { code: 'BLOCKED' }, details: { url: 'file:///etc/passwd' } },
    ])
  })

  test.each([
    ['a key with its text', [{ type: 'keyDown', key: 's', text: 's' }]],
    [
      'a key, and then its character',
      [
        { type: 'rawKeyDown', key: 's' },
        { type: 'char', text: 's' },
      ],
    ],
    ['a character alone', [{ type: 'char', text: 's' }]],
    ['one of several units', [{ type: 'keyDown', key: '😀', text: '😀' }]],
    [
      'one that takes AltGr',
      [
        { type: 'rawKeyDown', key: '@', modifiers: 3 },
        { type: 'char', text: '@' },
      ],
    ],
  ])('typing without what was typed: %s', async (_, keys) => {
    const { attach, say } = scripted()
    const { relay, root, ask, acts } = await attach()
    say(attached('page', root))
    for (const key of [...keys, ...keys]) ask('Input.dispatchKeyEvent', key, 'page')
    void relay.detach()
    expect(acts).toMatchObject([{ type: 'TYPE', details: { text: '•••••• (2 characters)' } }])
  })

  test('keys that type nothing by their names', async () => {
    const { attach, say, read } = scripted()
    const { root, ask, acts } = await attach()
    say(attached('page', root))
    read()
    for (const key of [{ key: 'a', modifiers: 2 }, { key: 'Control', modifiers: 2 }, { key: 'Tab' }]) {
      ask('Input.dispatchKeyEvent', { type: 'rawKeyDown', ...key }, 'page')
      say({ id: read().at(-1)!.id, result: {}, sessionId: 'page' })
    }
    expect(acts.map(({ details }) => details)).toEqual([{ key: 'Control+a' }, { key: 'Control' }, { key: 'Tab' }])
  })
})

test('an event too large for a client: lines and requests are left out, for any other it is told and let go', async () => {
  const { attach, say, connection } = scripted(1_000_000)
  let why: string | null = null
  void connection.misbehaved.then((reason) => (why = reason))
  const { root, client, got } = await attach()
  say(attached('page', root))
  const large = (method: string, sessionId: string) =>
    say({ method, params: { filler: 'x'.repeat(1_000_000) }, sessionId })
  const before = got.length
  for (const method of ['Runtime.consoleAPICalled', 'Log.entryAdded', 'Network.requestWillBeSent'])
    large(method, 'page')
  expect(got).toHaveLength(before)
  expect(client.close).not.toHaveBeenCalled()
  large('Debugger.scriptParsed', 'page')
  expect(client.close).toHaveBeenCalledExactlyOnceWith(1009, expect.stringContaining('Debugger.scriptParsed'))
  await new Promise(setImmediate)
  expect(why).toBeNull()
})

test('a session that a client could not be told of is still its own, and speaks to nobody else', async () => {
  const { attach, say, connection } = scripted(1_000_000)
  const { root, client } = await attach()
  let received = 0
  connection.on('Runtime.consoleAPICalled', () => received++)
  const { method, params, sessionId } = attached('child', root)
  say({ method, params: { ...params, targetInfo: { ...params.targetInfo, url: 'x'.repeat(1_000_000) } }, sessionId })
  expect(client.close).toHaveBeenCalledOnce()
  say({ method: 'Runtime.consoleAPICalled', params: { type: 'log', args: [] }, sessionId: 'child' })
  expect(received).toBe(0)
})

describe('a client that wants to use up the server', () => {
  /** Sessions with the browser, each below the one before. */
  const nest = ({ say }: ReturnType<typeof scripted>, root: string, count: number) => {
    for (let depth = 0; depth < count; depth += 1) {
      say(attached(`nested ${depth}`, depth === 0 ? root : `nested ${depth - 1}`, 'browser'))
    }
  }

  test('can leave, however deep its sessions are nested', async () => {
    const scene = scripted()
    const { relay, root } = await scene.attach()
    nest(scene, root, 9_000)
    const left = relay.detach()
    const detach = scene.read().find(({ method }) => method === 'Target.detachFromTarget')!
    scene.say({ id: detach.id, result: {} })
    await expect(left).resolves.toBeUndefined()
  })

  test('loses all of them with the one above', async () => {
    const scene = scripted()
    const { root, ask, got } = await scene.attach()
    nest(scene, root, 9_000)
    scene.say({ method: 'Target.detachedFromTarget', params: { sessionId: 'nested 0' }, sessionId: root })
    ask('Target.getTargets', {}, 'nested 8999')
    expect(got.at(-1)).toMatchObject({ error: { code: -32_001 } })
  })

  test('is disconnected when it has too many', async () => {
    const scene = scripted()
    const { root, client } = await scene.attach()
    for (let count = 0; count < 10_000; count += 1) scene.say(attached(`session ${count}`, root))
    expect(client.close).not.toHaveBeenCalled()
    scene.say(attached('one more', root))
    expect(client.close).toHaveBeenCalledWith(4008, 'too many sessions are open')
  })

  test('is told that a command with an endless name does not exist', async () => {
    const { attach, read } = scripted()
    const { ask, got } = await attach()
    read()
    ask(`Emulation.${'x'.repeat(200)}`)
    expect(got.at(-1)).toMatchObject({ id: 1, error: { code: -32_601 } })
    expect(read()).toEqual([])
  })

  test('has the settings for downloads of its last 1,000 contexts remembered', async () => {
    const { attach, read, say } = scripted(10_000_000)
    const { relay, ask, got } = await attach()
    ask('Browser.setDownloadBehavior', { behavior: 'deny', browserContextId: 'x'.repeat(100) })
    expect(got.at(-1)).toMatchObject({ error: { code: -32_602 } })
    for (let count = 0; count < 1_500; count += 1) {
      ask('Browser.setDownloadBehavior', { behavior: 'deny', browserContextId: `context${count}` })
    }
    read()
    const left = relay.detach()
    say({ id: read().at(-1)!.id, result: {} })
    await left
    const restored = read().filter(({ method }) => method === 'Browser.setDownloadBehavior')
    // With the session's own.
    expect(restored).toHaveLength(1_001)
  })
})

test('parameters that no text can be made of are the browser’s to refuse', async () => {
  const { attach, read } = scripted()
  const { ask } = await attach()
  const odd = { toString: 1, valueOf: 1 }
  read()
  ask('Target.closeTarget', { targetId: odd })
  expect(read()).toMatchObject([{ params: { targetId: odd } }])
  ask('Browser.cancelDownload', { guid: odd })
  expect(read()).toMatchObject([{ params: { guid: odd } }])
})
