import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, expect, test, vi } from 'vitest'
import type { Store } from '../../src/ports/store/store.ts'
import { line, newLog, useStore } from '../support/session-log.ts'

useStore()

afterEach(() => {
  vi.useRealTimers()
})

/** A log with a stopped clock, and the number of entries in each of its batches. */
async function paced() {
  const batches: number[] = []
  const append: Store['append'] = async (_id, _last, entries) => {
    batches.push(entries.length)
    return { kind: 'committed' }
  }
  const { log } = await newLog({ writeStore: { append } as Store })
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] })
  const settle = async () => {
    for (let round = 0; round < 20; round += 1) await turn()
    return batches
  }
  return { log, settle }
}

test('entries that follow one another closely are committed together', async () => {
  const { log, settle } = await paced()
  log.append(line('first'))
  expect(await settle()).toEqual([1])
  log.append(line('second'))
  expect(await settle()).toEqual([1])
  log.append(line('third'))
  expect(await settle()).toEqual([1])
  vi.advanceTimersByTime(10)
  expect(await settle()).toEqual([1, 2])
})

test('an entry that comes after a pause is committed at once', async () => {
  const { log, settle } = await paced()
  log.append(line('first'))
  await settle()
  vi.advanceTimersByTime(10)
  log.append(line('second'))
  expect(await settle()).toEqual([1, 1])
})

test('entries wait for no others where somebody waits for them', async () => {
  const { log, settle } = await paced()
  log.append(line('first'))
  await settle()
  log.append(line('second'))
  await settle()
  await log.flush()
  expect(await settle()).toEqual([1, 1])
  await log.commit(line('third'))
  expect(await settle()).toEqual([1, 1, 1])
  log.append(line('fourth'))
  log.cutShort()
  await log.flush()
})

test('a batch that is full waits for no more', async () => {
  const { log, settle } = await paced()
  log.append(line('first'))
  await settle()
  for (let index = 0; index < 450; index += 1) log.append(line(`line ${index}`))
  expect(await settle()).toEqual([1, 200, 200])
  vi.advanceTimersByTime(10)
  expect(await settle()).toEqual([1, 200, 200, 50])
})
