import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { GatheredReads } from '../../../src/adapters/playwright/cdp/pipe/gathered-reads.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** Writes the given data, and confirms it outside of its pipe. */
const WRITER = `
process.on('message', (text) => {
  require('node:fs').writeSync(1, text)
  process.send('written')
})`

function startWriter() {
  const child = spawn(process.execPath, ['-e', WRITER], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
  const reads = new GatheredReads(child.stdout!)
  const pieces: string[] = []
  child.stdout!.on('data', (piece: Buffer) => pieces.push(piece.toString()))
  return {
    reads,
    pieces,
    child,
    write: async (text: string) => {
      const written = once(child, 'message')
      child.send(text)
      await written
    },
    /** Whatever can be read has been. */
    settle: async () => {
      for (let round = 0; round < 20; round += 1) await turn()
    },
    async [Symbol.asyncDispose]() {
      const closed = once(child, 'close')
      child.kill()
      await closed
    },
  }
}

function emit(reads: GatheredReads, lines: number, others = 0): void {
  for (let index = 0; index < lines + others; index += 1) reads.message()
  for (let index = 0; index < lines; index += 1) reads.line()
  reads.resume()
}

test('lines that follow closely gather in the pipe for a moment, and come in one piece', async () => {
  await using writer = startWriter()
  const { reads, pieces } = writer
  await writer.write('first')
  await expect.poll(() => pieces).toEqual(['first'])
  emit(reads, 1)
  expect(reads.isGathering).toBe(false)
  emit(reads, 1)
  expect(reads.isGathering).toBe(true)
  for (const text of ['a', 'b', 'c']) await writer.write(text)
  await writer.settle()
  expect(pieces).toEqual(['first'])
  vi.runAllTimers()
  expect(reads.isGathering).toBe(false)
  await expect.poll(() => pieces).toEqual(['first', 'abc'])
})

test('lines now and then, and whatever else is said, are read at once', async () => {
  await using writer = startWriter()
  const { reads } = writer
  emit(reads, 1)
  vi.advanceTimersByTime(10)
  emit(reads, 1)
  expect(reads.isGathering).toBe(false)
  emit(reads, 1, 1)
  expect(reads.isGathering).toBe(false)
  emit(reads, 0, 1)
  expect(reads.isGathering).toBe(false)
})

test('the pipe is read on when that is asked for, and may close meanwhile', async () => {
  await using writer = startWriter()
  const { reads, pieces, child } = writer
  emit(reads, 1)
  emit(reads, 1)
  await writer.write('last')
  reads.stop()
  await expect.poll(() => pieces).toEqual(['last'])
  emit(reads, 1)
  emit(reads, 1)
  expect(reads.isGathering).toBe(true)
  child.stdout!.destroy()
  vi.runAllTimers()
  expect(reads.isGathering).toBe(false)
})
