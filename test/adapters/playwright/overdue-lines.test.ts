import { afterAll, beforeAll, expect, test } from 'vitest'
import { MESSAGE_LIMITS } from '../../../src/adapters/playwright/cdp/pipe/message-limits.ts'
import type { BrowserSession } from '../../../src/ports/browser/browser.ts'
import { take } from '../../support/take-steps.ts'
import { startTestPool, type TestPool } from './test-pool.ts'

let testPool: TestPool

beforeAll(async () => {
  testPool = await startTestPool({ warm: 0, messageLimits: { ...MESSAGE_LIMITS, overdueMs: 500 } })
})

afterAll(() => testPool.close())

async function run(session: BrowserSession, expression: string): Promise<unknown> {
  const { error, result } = await take(session, { evaluate: { expression } })
  expect(error).toBeNull()
  return result
}

test('lines of a flood that come too late are counted, each once, and later ones are there again', async () => {
  const [flooding, other] = [await testPool.start(), await testPool.start()]
  // Next to others, a browser is read for only a share of the time.
  await run(other.session, `void setInterval(() => console.log('tick'), 20)`)
  const { session, recorder } = flooding
  await run(
    session,
    `void (globalThis.lines = 0, globalThis.flood = setInterval(() => {
      for (let i = 0; i < 500; i++) console.log('line', ++lines, { of: 'a flood' })
    }, 20))`,
  )
  await expect.poll(() => recorder.flood.length).toBeGreaterThan(1_000)
  expect(new Set(recorder.flood)).toEqual(new Set(['CONSOLE_MESSAGE']))
  await run(session, 'void clearInterval(flood)')
  const texts = () => recorder.of('CONSOLE_MESSAGE').map(({ text }) => text)
  await expect
    .poll(async () => {
      await run(session, `void console.log('again', ++lines)`)
      return texts().some((text) => text.startsWith('again'))
    })
    .toBe(true)
  const lines = await run(session, 'lines')
  await session.flush(60_000)
  expect(texts().length + recorder.flood.length).toBe(lines)
  expect(session.missingSince()).toBeNull()
  await session.close(1_000)
  await other.session.close(1_000)
})
