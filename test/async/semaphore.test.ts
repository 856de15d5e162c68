import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { Semaphore } from '../../src/async/semaphore.ts'

/** Work that runs until the test ends it. */
function works(semaphore: Semaphore) {
  const begun: string[] = []
  const start = (name: string, signal?: AbortSignal) => {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const work = async () => {
      begun.push(name)
      return await promise
    }
    return { done: semaphore.run(work, signal), end: () => resolve(name), fail: (error: Error) => reject(error) }
  }
  return { begun, start }
}

test('so many are under way at once, and the others in the order in which they came', async () => {
  const semaphore = new Semaphore(2)
  const { begun, start } = works(semaphore)
  const [a, b, c, d] = [start('a'), start('b'), start('c'), start('d')]
  await expect.poll(() => begun).toEqual(['a', 'b'])
  expect(semaphore.waiting).toBe(2)
  b.end()
  expect(await b.done).toBe('b')
  await expect.poll(() => begun).toEqual(['a', 'b', 'c'])
  // A newcomer does not overtake waiting ones.
  const e = start('e')
  a.end()
  c.end()
  await expect.poll(() => begun).toEqual(['a', 'b', 'c', 'd', 'e'])
  for (const one of [d, e]) one.end()
  expect(await Promise.all([a, c, d, e].map(({ done }) => done))).toEqual(['a', 'c', 'd', 'e'])
  expect(semaphore.waiting).toBe(0)
})

test('work that fails gives its permit back, too', async () => {
  const { begun, start } = works(new Semaphore(1))
  const [a, b] = [start('a'), start('b')]
  a.fail(new Error('failed'))
  await expect(a.done).rejects.toThrow('failed')
  await expect.poll(() => begun).toEqual(['a', 'b'])
  b.end()
  await b.done
})

test('who is stopped leaves the line, and leaves no listener behind', async () => {
  const semaphore = new Semaphore(1)
  const { begun, start } = works(semaphore)
  const stop = new AbortController()
  const a = start('a')
  const b = start('b', stop.signal)
  const c = start('c')
  stop.abort(new Error('stopped'))
  await expect(b.done).rejects.toThrow('stopped')
  expect(semaphore.waiting).toBe(1)
  a.end()
  await expect.poll(() => begun).toEqual(['a', 'c'])
  c.end()
  await c.done
  await expect(start('d', stop.signal).done).rejects.toThrow('stopped')
  const e = start('e', new AbortController().signal)
  e.end()
  await e.done
  expect(begun).toEqual(['a', 'c', 'e'])
  expect(getEventListeners(stop.signal, 'abort')).toEqual([])
})

test('who got a permit and was stopped in the same moment has it, and gives it back', async () => {
  const semaphore = new Semaphore(1)
  const stop = new AbortController()
  const release = await semaphore.acquire()
  const next = semaphore.acquire(stop.signal)
  release()
  stop.abort()
  ;(await next)()
  expect(await semaphore.acquire()).toBeTypeOf('function')
})
