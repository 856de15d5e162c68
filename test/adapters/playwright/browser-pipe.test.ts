import { PassThrough } from 'node:stream'
import { expect, onTestFinished, test, vi } from 'vitest'
import { CdpConnection } from '../../../src/adapters/playwright/cdp/connection/cdp-connection.ts'
import type { BrowserPipes } from '../../../src/adapters/playwright/cdp/pipe/browser-pipes.ts'
import { FairScheduler } from '../../../src/adapters/playwright/cdp/pipe/fair-scheduler.ts'
import type { TooLarge } from '../../../src/adapters/playwright/cdp/pipe/oversized-message.ts'
import { WAIT_LIMITS } from '../../support/time-limits.ts'
import { undelayedPipes } from './fake-cdp-connection.ts'
import { logger } from './test-pool.ts'

const KIB = 1024
const LIMITS = { parsed: 64 * KIB, relayed: 256 * KIB, unfinished: 1024 * KIB, skipped: 4096 * KIB }

/** A browser with the far ends of both pipes in the test. */
function open(pipes: BrowserPipes = undelayedPipes(LIMITS)) {
  const [input, output] = [new PassThrough(), new PassThrough()]
  const connection = new CdpConnection(input, output, '/no/such/folder', pipes, logger)
  onTestFinished(() => void output.destroy())
  const toPlaywright: object[] = []
  connection.transport.onmessage = (message: object) => void toPlaywright.push(message)
  const skipped: TooLarge[] = []
  connection.onSkipped((event) => skipped.push(event))
  let why: string | null = null
  void connection.misbehaved.then((reason) => (why = reason))
  const say = (...pieces: string[]) => {
    for (const piece of pieces) output.emit('data', Buffer.from(piece))
  }
  const misbehavior = async () => {
    await new Promise(setImmediate)
    return why
  }
  const lastId = () => (JSON.parse(String(input.read()).split('\0').at(-2)!) as { id: number }).id
  return { connection, output, say, toPlaywright, skipped, misbehavior, lastId }
}

const filler = (bytes: number) => 'x'.repeat(bytes)
const line = (text: string) =>
  `{"method":"Runtime.consoleAPICalled","params":{"type":"log","args":[{"type":"string","value":"${text}"}]},"sessionId":"page"}\0`

test('a message up to the limit is read, however it is cut into pieces', async () => {
  const { connection, say, toPlaywright, skipped, misbehavior } = open()
  const received: number[] = []
  connection.on('Runtime.consoleAPICalled', ({ args }) => received.push(String(args[0]!.value).length))
  const whole = line(filler(60_000))
  say(whole)
  for (let at = 0; at < whole.length; at += 7) say(whole.slice(at, at + 7))
  say(whole.slice(0, -1), '\0', `${line('a')}${line('b')}{"method"`, ':"Log.entryAdded","params":{}}\0')
  expect(received).toEqual([60_000, 60_000, 60_000, 1, 1])
  await expect.poll(() => toPlaywright).toHaveLength(6)
  expect(skipped).toEqual([])
  expect(await misbehavior()).toBeNull()
  expect(connection.hasUnread).toBe(false)
})

test('a line or a request that is too large is left out and told by its ends, in its place', async () => {
  const { connection, say, toPlaywright, skipped, misbehavior } = open()
  const received: unknown[] = []
  connection.on('Runtime.consoleAPICalled', ({ args }) => received.push([args[0]!.value, skipped.length]))
  say(line('before'))
  const large = line(filler(3_000_000))
  for (let at = 0; at < large.length; at += 65_536) say(large.slice(at, at + 65_536))
  say(line('between'))
  // All together, as it arrives when the other side is faster.
  say(`{"method":"Network.requestWillBeSent","params":{"requestId":"7.1","x":"${filler(70_000)}"},"sessionId":"p2"}\0`)
  say(line('after'))
  expect(received).toEqual([
    ['before', 0],
    ['between', 1],
    ['after', 2],
  ])
  expect(skipped).toMatchObject([
    { method: 'Runtime.consoleAPICalled', sessionId: 'page', bytes: large.length - 1 },
    { method: 'Network.requestWillBeSent', sessionId: 'p2' },
  ])
  expect(skipped.every(({ head }) => head.length <= 4096)).toBe(true)
  await expect.poll(() => toPlaywright).toHaveLength(3)
  expect(await misbehavior()).toBeNull()
})

test('no more than its limit is held of a message that does not end, and it is no message of a browser', async () => {
  const pipes = undelayedPipes(LIMITS)
  const { say, misbehavior } = open(pipes)
  say('{"method":"Runtime.consoleAPICalled","params":{"')
  let most = 0
  for (let sent = 0; sent < LIMITS.skipped; sent += 16 * KIB) {
    say(filler(16 * KIB))
    most = Math.max(most, pipes.unfinished.bytes)
  }
  expect(most).toBeLessThanOrEqual(LIMITS.parsed)
  expect(await misbehavior()).toContain('does not end')
})

test('an answer that is too large is an error for whoever asked: Playwright, and us', async () => {
  const { connection, say, toPlaywright, misbehavior, lastId } = open()
  const own = connection.send('Runtime.evaluate', { expression: '0' }, 'page')
  say(`{"id":${lastId()},"result":{"value":"${filler(300_000)}"},"sessionId":"page"}\0`)
  await expect(own).rejects.toThrow(/too large to process \(\d+ bytes\)/)
  say(`{"id":12,"result":{"value":"${filler(300_000)}"},"sessionId":"page"}\0`)
  const error = { code: -32_000, message: expect.stringContaining('too large to process') as string }
  await expect.poll(() => toPlaywright).toEqual([{ id: 12, sessionId: 'page', error }])
  // A response without a request has no receiver.
  say(`{"id":1999999999,"result":{"value":"${filler(300_000)}"}}\0`)
  expect(await misbehavior()).toBeNull()
})

test('an answer to a client may have more, an event of its session too; beyond that its own connection is told', async () => {
  const { connection, say, misbehavior, lastId } = open()
  const got: [string, number | string | null][] = []
  connection.host('guest', {
    event: (message) => void got.push(['event', message.length]),
    eventTooLarge: ({ method }) => void got.push(['event too large', method]),
  })
  const ask = () => {
    const answer = {
      answered: (message: Buffer) => void got.push(['answer', message.length]),
      tooLarge: (why: string) => void got.push(['answer too large', why.slice(0, 22)]),
    }
    connection.relay({ method: 'Runtime.evaluate', params: {}, sessionId: 'guest' }, answer)
    return lastId()
  }
  const inPieces = (text: string) => {
    for (let at = 0; at < text.length; at += 50_000) say(text.slice(at, at + 50_000))
  }
  for (const bytes of [200_000, 300_000]) {
    inPieces(`{"id":${ask()},"result":{"value":"${filler(bytes - 80)}"},"sessionId":"guest"}\0`)
    inPieces(`{"method":"Fetch.requestPaused","params":{"x":"${filler(bytes - 80)}"},"sessionId":"guest"}\0`)
  }
  expect(got).toEqual([
    ['answer', expect.any(Number)],
    ['event', expect.any(Number)],
    ['answer too large', "The browser's response"],
    ['event too large', 'Fetch.requestPaused'],
  ])
  expect(await misbehavior()).toBeNull()
  // Messages for others have the lower limit even while a client is attached.
  inPieces(`{"method":"Page.windowOpen","params":{"x":"${filler(200_000)}"},"sessionId":"page"}\0`)
  expect(await misbehavior()).toMatch(/Page\.windowOpen event is too large to process \(\d+ bytes\)/)
})

test.each([
  ['an event that cannot be left out', `{"method":"Page.frameAttached","params":{"x":"${filler(70_000)}"}}`],
  ['a large message without a beginning', filler(70_000)],
  ['text', 'no JSON'],
  ['nothing', ''],
  ['a number', '7'],
  ['null', 'null'],
  ['a list', '[]'],
  ['an answer without a number', '{"id":"1","result":{}}'],
  ['an event without a name', '{"method":1}'],
  ['a session that is none', '{"method":"Page.loadEventFired","params":{},"sessionId":{}}'],
  ['brackets', '['.repeat(60_000)],
])('%s ends the session of that browser, and nothing is thrown', async (_, message) => {
  const { connection, say, misbehavior } = open()
  say(`${message}\0`)
  expect(await misbehavior()).toMatch(/too large to process|not valid/)
  // Messages until the end of its session are still received.
  let received = 0
  connection.on('Runtime.consoleAPICalled', () => received++)
  say(line('last words'))
  expect(received).toBe(1)
})

test('events without parameters, and ids that nobody knows, are no trouble', async () => {
  const { say, toPlaywright, misbehavior } = open()
  say('{"method":"Target.detachedFromTarget"}\0{"id":999}\0{"id":1500000000,"result":{}}\0')
  await expect.poll(() => toPlaywright).toHaveLength(2)
  expect(await misbehavior()).toBeNull()
})

test('many small values, or many different names, are too large at few bytes', async () => {
  const { say, skipped, misbehavior } = open(undelayedPipes({ values: 5_000, names: 500 }))
  const message = (args: string) =>
    `{"method":"Runtime.consoleAPICalled","params":{"args":[${args}]},"sessionId":"page"}\0`
  const text = filler(600_000)
  say(message(`"${text}"`))
  expect(skipped).toHaveLength(0)
  say(message(`"${text}",${'[],'.repeat(5_000)}1`))
  expect(skipped).toHaveLength(1)
  const members = Array.from({ length: 1_000 }, (_, index) => `{"name${index}":0}`)
  say(message(`"${text}",${members.join()}`))
  expect(skipped).toHaveLength(2)
  // The same in a text is one value, and one name a thousand times is one name.
  say(message(`"${text}\\"${'[],'.repeat(5_000)}{:::"`), message(`"${text}",${'{"name":0},'.repeat(1_000)}1`))
  expect(skipped).toHaveLength(2)
  expect(await misbehavior()).toBeNull()
})

test('unfinished messages of all browsers have one budget; the largest gives way, not the next', () => {
  const pipes = undelayedPipes({ ...LIMITS, unfinished: 100 * KIB })
  const [hog, other] = [open(pipes), open(pipes)]
  const begin = '{"method":"Runtime.consoleAPICalled","params":{"type":"log","args":[{"type":"string","value":"'
  hog.say(begin, filler(60_000))
  other.say(begin, filler(45_000))
  expect(pipes.unfinished.bytes).toBeLessThan(50_000)
  for (const { say } of [hog, other]) say(`"}]},"sessionId":"page"}\0`)
  expect(hog.skipped).toMatchObject([{ method: 'Runtime.consoleAPICalled', sessionId: 'page' }])
  expect(other.skipped).toEqual([])
  expect(pipes.unfinished.bytes).toBe(0)
  hog.say(begin, filler(60_000))
  hog.output.destroy()
  return expect.poll(() => pipes.unfinished.bytes).toBe(0)
})

test('a browser that says more than its share waits; what others say meanwhile is heard, and nothing is lost', async () => {
  const pipes = { ...undelayedPipes(LIMITS), scheduler: new FairScheduler(1, 2) }
  const [loud, quiet] = [open(pipes), open(pipes)]
  let receivedOfLoud = 0
  loud.connection.on('Runtime.consoleAPICalled', () => {
    receivedOfLoud += 1
    const until = performance.now() + 0.5
    while (performance.now() < until);
  })
  let receivedBefore = -1
  quiet.connection.on('Runtime.consoleAPICalled', () => (receivedBefore = receivedOfLoud))
  const count = 200
  loud.output.write(Array.from({ length: count }, () => line('loud')).join(''))
  await vi.waitFor(() => expect(receivedOfLoud).toBeGreaterThan(0), { interval: 1, ...WAIT_LIMITS })
  expect(loud.output.isPaused()).toBe(true)
  expect(loud.connection.hasUnread).toBe(true)
  const caughtUp = loud.connection.caughtUp()
  quiet.output.write(line('quiet'))
  await vi.waitFor(() => expect(receivedBefore).toBeGreaterThan(-1), { interval: 1, ...WAIT_LIMITS })
  expect(receivedBefore).toBeLessThan(count)
  await caughtUp
  expect(receivedOfLoud).toBe(count)
  expect(loud.toPlaywright).toHaveLength(count)
  expect(loud.output.isPaused()).toBe(false)
})

test('what Playwright has not handled yet holds up the reading', async () => {
  const { connection, output, toPlaywright } = open()
  let received = 0
  connection.on('Page.navigatedWithinDocument', () => received++)
  const event = `{"method":"Page.navigatedWithinDocument","params":{"frameId":"f","url":"http://site/"}}\0`
  const count = 2_000
  output.write(event.repeat(count))
  await vi.waitFor(() => expect(toPlaywright.length).toBeGreaterThan(0), { interval: 1, ...WAIT_LIMITS })
  expect(received - toPlaywright.length).toBeLessThanOrEqual(500)
  await expect.poll(() => toPlaywright).toHaveLength(count)
  expect(received).toBe(count)
})

test('the end is told after all that was said before', async () => {
  const pipes = { ...undelayedPipes(LIMITS), scheduler: new FairScheduler(0, 0) }
  const { connection, output, toPlaywright } = open(pipes)
  let ended = false
  connection.transport.onclose = () => (ended = true)
  let receivedAtClose = -1
  let received = 0
  connection.on('Runtime.consoleAPICalled', () => received++)
  connection.onClose(() => (receivedAtClose = received))
  const own = connection.send('Browser.getVersion')
  output.end(Array.from({ length: 50 }, () => line('last words')).join(''))
  await expect(own).rejects.toThrow('gone')
  await expect.poll(() => ended).toBe(true)
  expect(receivedAtClose).toBe(50)
  expect(toPlaywright).toHaveLength(50)
})

test('a listener that throws costs its event alone; an error elsewhere ends that browser, and no other', async () => {
  const pipes = undelayedPipes(LIMITS)
  const [broken, sound] = [open(pipes), open(pipes)]
  let received = 0
  for (const method of ['Runtime.consoleAPICalled', 'Log.entryAdded'] as const) {
    broken.connection.on(method, () => {
      throw new Error('a listener fails')
    })
    broken.connection.on(method, () => received++)
  }
  broken.connection.withhold('Page.frameAttached', () => {
    throw new Error('a predicate fails')
  })
  broken.say(line('one'), '{"method":"Log.entryAdded","params":{}}\0')
  expect(received).toBe(2)
  expect(await broken.misbehavior()).toBeNull()
  broken.say('{"method":"Page.frameAttached","params":{}}\0', line('two'))
  expect(await broken.misbehavior()).toContain('could not be processed')
  expect(received).toBe(3)
  sound.say(line('sound'))
  await expect.poll(() => sound.toPlaywright).toHaveLength(1)
  expect(await sound.misbehavior()).toBeNull()
})

test('tells how long each turn took', async () => {
  const { connection, say } = open()
  const spent: number[] = []
  connection.onSpent = (milliseconds) => spent.push(milliseconds)
  say(`${line('a line')}\0`)
  await expect.poll(() => spent.length).toBeGreaterThan(0)
  expect(Math.min(...spent)).toBeGreaterThanOrEqual(0)
})
