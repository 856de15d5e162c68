import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { ReadSemaphore } from '../../../src/adapters/postgres/connection/read-semaphore.ts'

/** Reads that the test ends, each recorded when it begins. */
function reads(atOnce: number) {
  const semaphore = new ReadSemaphore(atOnce)
  const begun: string[] = []
  const ends: (() => void)[] = []
  const take = (owner: string, name: string, signal?: AbortSignal) =>
    semaphore.take(
      owner,
      async () => {
        begun.push(name)
        await new Promise<void>((resolve) => ends.push(resolve))
        return name
      },
      signal,
    )
  /** Once it resolves, the next read has started: there is nothing else to wait for. */
  const endOne = async () => {
    ends.shift()!()
    await setImmediate()
  }
  return { take, begun, endOne }
}

describe('reads take turns', () => {
  test('among owners, in order within each: a crowd of one owner holds up nobody else', async () => {
    const { take, begun, endOne } = reads(1)
    const all = ['a1', 'a2', 'a3', 'a4'].map((name) => take('a', name))
    all.push(...['b1', 'b2'].map((name) => take('b', name)), take('c', 'c1'))
    for (let n = 0; n < 7; n += 1) await endOne()
    expect(begun).toEqual(['a1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4'])
    expect(await Promise.all(all)).toEqual(['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'c1'])
  })

  test('and one whose reader has left is never begun', async () => {
    const { take, begun, endOne } = reads(1)
    const leaving = new AbortController()
    const first = take('a', 'first')
    const abandoned = Array.from({ length: 2000 }, (_, n) =>
      take('a', `abandoned ${n}`, leaving.signal).catch((error: unknown) => (error as Error).message),
    )
    const last = take('a', 'last')
    leaving.abort(new Error('left'))
    expect(new Set(await Promise.all(abandoned))).toEqual(new Set(['left']))
    await endOne()
    await endOne()
    expect(await Promise.all([first, last])).toEqual(['first', 'last'])
    expect(begun).toEqual(['first', 'last'])
  })

  test('as many at once as there is room for, also after one failed', async () => {
    const { take, begun, endOne } = reads(2)
    const semaphore = new ReadSemaphore(1)
    await expect(semaphore.take('a', () => Promise.reject(new Error('failed')))).rejects.toThrow('failed')
    expect(await semaphore.take('a', () => Promise.resolve('next'))).toBe('next')
    const all = ['1', '2', '3'].map((name) => take('a', name))
    await expect.poll(() => begun).toEqual(['1', '2'])
    for (let n = 0; n < 3; n += 1) await endOne()
    await Promise.all(all)
  })
})
