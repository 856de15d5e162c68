import { describe, expect, test } from 'vitest'
import { readAutoAttach } from '../../../src/adapters/playwright/cdp/barrier/auto-attach.ts'
import { attached, scripted } from './relay-scene.ts'

describe('a large command', () => {
  test('is read between other work, and handed on in its turn', async () => {
    const { attach, read, say } = scripted(100_000_000)
    const { root, handled, client } = await attach()
    say(attached('page', root))
    read()
    const expression = 'x'.repeat(3_000_000)
    const both = [
      handled('Runtime.evaluate', { expression }, 'page'),
      handled('Runtime.evaluate', { expression: '1' }, 'page'),
    ]
    expect(read()).toEqual([])
    expect(client.pause).toHaveBeenCalled()
    await Promise.all(both)
    expect(client.resume).toHaveBeenCalled()
    const sent = read()
    expect(sent.map(({ params }) => (params['expression'] as string).length)).toEqual([3_000_000, 1])
    expect(sent[0]!.params['expression'] === expression).toBe(true)
  })

  test('waits while the browser does not read: it is given one at a time', async () => {
    const { attach, input, read, say } = scripted(1_000)
    const { root, handled } = await attach()
    say(attached('page', root))
    read()
    const expression = 'x'.repeat(1_000_000)
    const [first, second] = [1, 2].map(() => handled('Runtime.evaluate', { expression }, 'page'))
    await first
    let isHandled = false
    void second!.then(() => (isHandled = true))
    for (let turn = 0; turn < 100; turn += 1) await new Promise(setImmediate)
    expect(isHandled).toBe(false)
    expect(input.writableLength).toBeLessThan(1_500_000)
    input.resume()
    await second
  })

  test('of a client that leaves is not handed on', async () => {
    const { attach, read, say } = scripted(100_000_000)
    const { relay, root, handled } = await attach()
    say(attached('page', root))
    const isHandled = handled('Runtime.evaluate', { expression: 'x'.repeat(3_000_000) }, 'page')
    void relay.detach()
    await isHandled
    for (let turn = 0; turn < 100; turn += 1) await new Promise(setImmediate)
    expect(read().filter(({ method }) => method === 'Runtime.evaluate')).toEqual([])
  })
})

describe('nothing large is kept of a command', () => {
  test('that may wait until a target is released', async () => {
    const { attach, read, say } = scripted(1_000_000)
    const { root, ask } = await attach()
    say(attached('page', root))
    read()
    ask('Runtime.runIfWaitingForDebugger', { filler: 'x'.repeat(100_000) }, 'page')
    expect(read()).toMatchObject([{ method: 'Runtime.runIfWaitingForDebugger', params: {} }])
    expect(read()).toEqual([])
  })

  test('by which targets are held', async () => {
    const { attach, read } = scripted(1_000_000)
    const { ask, got } = await attach()
    read()
    const hold = { autoAttach: true, waitForDebuggerOnStart: true, flatten: true }
    ask('Target.setAutoAttach', { ...hold, filter: Array.from({ length: 101 }, () => ({ type: 'page' })) })
    expect(got.at(-1)).toMatchObject({ error: { message: expect.stringContaining('at most 100 entries') as string } })
    expect(read()).toEqual([])
    const auto = readAutoAttach({ ...hold, filter: [{ type: 'x'.repeat(100_000) }, null, { type: 'page' }] })!
    expect([auto.pauses('page'), auto.pauses('worker'), auto.pauses('x'.repeat(100_000))]).toEqual([true, false, false])
  })

  test.each([
    ['100 files', Array.from({ length: 101 }, () => 'a.txt')],
    ['4096 characters', ['x'.repeat(5_000)]],
  ])('that names files: at most %s', async (what, files) => {
    const { attach, read, say } = scripted(1_000_000)
    const { root, handled, got } = await attach()
    say(attached('page', root))
    read()
    await handled('DOM.setFileInputFiles', { files, backendNodeId: 1 }, 'page')
    expect(got.at(-1)).toMatchObject({ error: { message: expect.stringContaining(`at most ${what}`) as string } })
    expect(read()).toEqual([])
  })
})
