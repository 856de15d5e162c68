import { readFileSync } from 'node:fs'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { BrowsersDirectory } from '../../../src/adapters/playwright/launch/browsers-directory.ts'
import { createBrowserPipes } from '../../../src/adapters/playwright/cdp/pipe/browser-pipes.ts'
import { BrowserProcess } from '../../../src/adapters/playwright/launch/browser-process.ts'
import { MESSAGE_LIMITS } from '../../../src/adapters/playwright/cdp/pipe/message-limits.ts'
import { RUN } from '../../../src/adapters/playwright/cdp/barrier/release-barrier.ts'
import { FinalMessages } from '../../../src/adapters/playwright/session/final-messages.ts'
import { ENTRY_MS, RecorderSet } from '../../../src/adapters/playwright/recorders/recorder-set.ts'
import { TargetRegistry } from '../../../src/adapters/playwright/cdp/targets/target-registry.ts'
import { WAIT_LIMITS, NO_DEADLINE } from '../../support/time-limits.ts'
import { fakeCdpConnection, undelayedPipes, type FakeCdpConnection } from './fake-cdp-connection.ts'
import { RecordingRecorder } from './recording-recorder.ts'
import { startScriptedSite, type ScriptedSite } from './scripted-site.ts'
import { logger, processesWith, startTestPool, type TestPool } from './test-pool.ts'

const LINES = 2_000
const EVENTS = 1_000

/** Logs many lines at once, then reports it on a channel that bypasses them. */
const talk = (name: string) =>
  `for (let i = 1; i <= ${LINES}; i++) console.log('${name} ' + i)
  tell('${name}')`

let site: ScriptedSite
let pool: TestPool

beforeAll(async () => {
  site = await startScriptedSite({
    page: talk('page'),
    'with-worker': `new Worker('/script/worker')`,
    worker: talk('worker'),
    'with-frame': `document.body.appendChild(document.createElement('iframe')).src =
      location.href.replace('127.0.0.1', 'localhost').replace('with-frame', 'frame')`,
    frame: talk('frame'),
    ticker: `let lines = 0; setInterval(() => console.log('line ' + ++lines)); setTimeout(() => tell('ticker'), 50)`,
  })
  pool = await startTestPool({ warm: 1 })
})

afterAll(async () => {
  await pool.close()
  await site.close()
})

/** Observed targets, and their recorder. */
async function record({ connection, sent, answer }: FakeCdpConnection) {
  const targets = new TargetRegistry(connection)
  const starting = targets.start()
  answer('Target.attachToBrowserTarget', { sessionId: 'own' })
  await expect.poll(() => sent.at(-1)).toContain('Target.setDiscoverTargets')
  answer('Target.setDiscoverTargets', {})
  await starting
  const recording = new RecorderSet(connection, targets, new RecordingRecorder(), false, '/no/such/folder', logger)
  onTestFinished(() => recording.stop())
  return { targets, recording }
}

describe('what was said last', () => {
  test.each([
    ['a page', 'page', 'page'],
    ['a worker', 'with-worker', 'worker'],
    ['a frame in a process of its own', 'with-frame', 'frame'],
  ])('by %s is recorded by flush', async (_, page, source) => {
    const { session, recorder } = await pool.start()
    void session.open(`${site.url}/page/${page}`, NO_DEADLINE)
    await site.reported(source)
    await session.flush(WAIT_LIMITS.timeout)
    expect(recorder.texts()).toEqual(Array.from({ length: LINES }, (_unused, index) => `${source} ${index + 1}`))
    await session.close(1_000)
  })

  test.for([[[]], [['VIDEO']], [['TRACE']]] as const)(
    'by a page that goes on is all there until its scripts run no more, with recordings of %s',
    async ([kinds]) => {
      const { session, recorder } = await pool.start({ record: [...kinds] })
      void session.open(`${site.url}/page/ticker`, AbortSignal.timeout(10_000))
      await site.reported('ticker')
      // However slow it is: only a share of each is for its pages to answer.
      await session.flush(600_000)
      await session.finishFiles(600_000)
      const lines = recorder.texts()
      await session.close(1_000)
      expect(session.missingSince()).toBe(null)
      expect(recorder.texts()).toEqual(lines)
      expect(lines).toEqual(Array.from(lines, (_unused, index) => `line ${index + 1}`))
    },
  )

  test('is asked of everyone who may speak, and of nobody else', () => {
    const { connection, attach } = fakeCdpConnection()
    const targets = new TargetRegistry(connection)
    attach('blank page of nobody', 'page')
    const recording = new RecorderSet(connection, targets, new RecordingRecorder(), false, '/no/such/folder', logger)
    onTestFinished(() => recording.stop())
    attach('page', 'page')
    attach('frame', 'iframe', 'page')
    attach('worker', 'worker', 'frame')
    attach('service worker', 'service_worker')
    expect(targets.sessionIds()).toEqual(['page', 'frame', 'worker', 'service worker'])
  })

  test.each([
    ['a page that answers late, but by itself', ['answer', 'interrupted'], true],
    ['a page whose script had to be ended', ['interrupted', 'answer'], false],
    ['a page that had to be ended itself', ['gone'], false],
    ['a page that is silent', [], false],
  ] as const)('of %s: whether all is known', async (_, events, isKnown) => {
    const fake = fakeCdpConnection()
    const { connection, sent, emit, answer, attach } = fake
    const { targets, recording } = await record(fake)
    attach('page', 'page')
    const messages = new FinalMessages({ connection } as BrowserProcess, targets, recording)
    const collecting = messages.collect(40)
    answer('Browser.getVersion', {})
    await expect.poll(() => sent.some((text) => text.includes('Performance.getMetrics'))).toBe(true)
    for (const event of events) {
      if (event === 'answer') answer('Runtime.getHeapUsage', {})
      else if (event === 'interrupted') answer('Performance.getMetrics', {})
      else emit('Target.detachedFromTarget', { sessionId: 'page' })
    }
    await collecting
    expect(messages.missingSince() === null).toBe(isKnown)
    expect(sent.some((text) => text.includes('Runtime.terminateExecution'))).toBe(events[0] === 'interrupted')
  })

  test.each([
    ['an answer', ({ answer }: FakeCdpConnection) => answer('Runtime.getHeapUsage', {})],
    [
      'a line that is too large to be read, and the answer after it',
      ({ emit, answer }: FakeCdpConnection) => {
        emit('Runtime.consoleAPICalled', { type: 'log', text: 'x'.repeat(MESSAGE_LIMITS.parsed) }, 'page')
        answer('Runtime.getHeapUsage', {})
      },
    ],
  ])('of a page is not known by %s that comes when nothing is recorded any more', async (_, tell) => {
    const fake = fakeCdpConnection()
    const { connection, answer, attach } = fake
    const { targets, recording } = await record(fake)
    attach('page', 'page')
    const messages = new FinalMessages({ connection } as BrowserProcess, targets, recording)
    const collecting = messages.collect(10)
    answer('Browser.getVersion', {})
    await collecting
    recording.stop()
    tell(fake)
    await new Promise(setImmediate)
    expect(messages.missingSince()).not.toBe(null)
  })

  test('that was too large to be read is missing where it comes when nothing is recorded any more', async () => {
    const fake = fakeCdpConnection()
    const { connection, emit, answer, attach } = fake
    const { targets, recording } = await record(fake)
    attach('page', 'page')
    const messages = new FinalMessages({ connection } as BrowserProcess, targets, recording)
    const collecting = messages.collect(60_000)
    answer('Browser.getVersion', {})
    answer('Runtime.getHeapUsage', {})
    await collecting
    expect(messages.missingSince()).toBe(null)
    recording.stop()
    emit('Runtime.consoleAPICalled', { type: 'log', text: 'x'.repeat(MESSAGE_LIMITS.parsed) }, 'page')
    await expect.poll(() => messages.missingSince()).not.toBe(null)
  })

  test('is read where it has come in time, and the server has not looked at it when the time is up', async () => {
    const fake = fakeCdpConnection()
    const { connection, answer, attach } = fake
    const { targets, recording } = await record(fake)
    attach('page', 'page')
    const messages = new FinalMessages({ connection } as BrowserProcess, targets, recording)
    const collecting = messages.collect(10)
    const until = performance.now() + 50
    while (performance.now() < until);
    setImmediate(() => {
      answer('Browser.getVersion', {})
      answer('Runtime.getHeapUsage', {})
    })
    await collecting
    expect(messages.missingSince()).toBe(null)
  })

  test('of a page that closes by itself is known', async () => {
    const fake = fakeCdpConnection()
    const { connection, emit, answer, attach } = fake
    const { targets, recording } = await record(fake)
    attach('page', 'page')
    const messages = new FinalMessages({ connection } as BrowserProcess, targets, recording)
    const collecting = messages.collect(60_000)
    answer('Browser.getVersion', {})
    emit('Target.detachedFromTarget', { sessionId: 'page' })
    await collecting
    expect(messages.missingSince()).toBe(null)
  })

  test('is not kept back by what a client holds: its opener could not speak', async () => {
    const fake = fakeCdpConnection()
    const { connection, sent, emit } = fake
    const { targets, recording } = await record(fake)
    const holding = { method: 'Target.setAutoAttach', params: { autoAttach: true, waitForDebuggerOnStart: true } }
    connection.barrier.enter({}, 'client')
    connection.barrier.pass({ ...holding, sessionId: 'client' }, () => undefined)
    const targetInfo = { targetId: 'popup', type: 'page', title: '', url: '', canAccessOpener: true }
    emit('Target.attachedToTarget', { sessionId: 'popup', targetInfo, waitingForDebugger: true })
    connection.release('popup')
    const hasRun = () => sent.some((text) => text.includes(RUN))
    expect(hasRun()).toBe(false)
    const messages = new FinalMessages({ connection } as BrowserProcess, targets, recording)
    const collecting = messages.collect(20)
    expect(hasRun()).toBe(true)
    await collecting
  })

  test('is read before the end of the browser is told, whoever else still holds its pipe', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tw-'))
    onTestFinished(() => rm(directory, { recursive: true }))
    const executable = join(directory, 'browser')
    const event = String.raw`{"method":"Inspector.targetCrashed","params":{}}\0`
    // A helper of the browser outlives it, with a duration that identifies it among those of other runs. All of its output
    // fits into the pipe.
    const helper = ['sleep', `${process.pid}.321`]
    const script = `#!/bin/sh
${helper.join(' ')} &
printf "$(for i in $(seq ${EVENTS}); do printf '%s' '${event}'; done)" >&4
kill -9 $$
`
    await writeFile(executable, script)
    await chmod(executable, 0o755)
    const mode = { executable, sandboxed: false, firstUid: null, ownUids: false }
    const parent = new BrowsersDirectory(join(directory, 'browsers'), logger)
    const browser = await BrowserProcess.start(mode, parent, createBrowserPipes(), logger)
    let received = 0
    browser.connection.on('Inspector.targetCrashed', () => (received += 1))
    // Nothing is read in the meantime.
    const isDead = () => readFileSync(`/proc/${browser.pid}/stat`, 'utf8').includes(') Z ')
    for (let look = 0; look < 1_000 && !isDead(); look += 1)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
    expect(await browser.fellSilent).toBe('killed by SIGKILL')
    expect(received).toBe(EVENTS)
    // Until it has become what it was started as, it has the command line of its parent.
    await expect.poll(() => processesWith(helper.join('\0'))).toHaveLength(1)
    await browser.close(0)
  })
})

test('each entry is charged to its browser, which is not held up at its end by what it owes', async () => {
  const pipes = undelayedPipes()
  const [charge, release] = [vi.spyOn(pipes.scheduler, 'charge'), vi.spyOn(pipes.scheduler, 'release')]
  const fake = fakeCdpConnection(pipes)
  const { connection, emit, attach } = fake
  const { targets, recording } = await record(fake)
  attach('page', 'page')
  const charged = () => charge.mock.calls.filter(([, milliseconds]) => milliseconds === ENTRY_MS).length
  const before = charged()
  for (let line = 0; line < 3; line += 1) emit('Runtime.consoleAPICalled', CONSOLE_CALL, 'page')
  await expect.poll(() => charged() - before).toBe(3)
  expect(release).not.toHaveBeenCalled()
  await new FinalMessages({ connection } as BrowserProcess, targets, recording).collect(1)
  expect(release).toHaveBeenCalledWith(connection)
})

const CONSOLE_CALL = {
  type: 'log',
  args: [{ type: 'string', value: 'a line' }],
  executionContextId: 1,
  timestamp: 1_000,
}
