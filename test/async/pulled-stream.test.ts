import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { PulledStream } from '../../src/async/pulled-stream.ts'

/** Numbers that are offered; it ends after 9. */
class Numbers extends PulledStream<number> {
  readonly reported: string[] = []
  readonly #offered: number[] = []
  #failure: Error | null = null

  offer(...numbers: number[]): void {
    this.#offered.push(...numbers)
    this.wake()
  }

  fail(error: Error): void {
    this.#failure = error
    this.wake()
  }

  protected begin(): void {
    this.reported.push('begun')
  }

  protected async pull(): Promise<number | null> {
    while (!this.hasEnded) {
      this.forgetNews()
      if (this.#failure) throw this.#failure
      const number = this.#offered.shift()
      if (number !== undefined) return number === 9 ? null : number
      await this.untilNews()
    }
    return null
  }

  protected free(): void {
    this.reported.push('freed')
  }
}

const NONE = { done: true, value: undefined }

test('values come in order, one for each that is asked for, and it frees itself at its end', async () => {
  const stop = new AbortController()
  const numbers = new Numbers(stop.signal)
  expect(numbers.reported).toEqual([])
  const asked = [numbers.next(), numbers.next(), numbers.next(), numbers.next()]
  numbers.offer(1)
  numbers.offer(2, 9, 3)
  const values = (await Promise.all(asked)).map(({ value }) => value)
  expect(values).toEqual([1, 2, undefined, undefined])
  expect(numbers.reported).toEqual(['begun', 'freed'])
  expect(getEventListeners(stop.signal, 'abort')).toEqual([])
})

test('a reader that leaves waits for nothing', async () => {
  const numbers = new Numbers(new AbortController().signal)
  const waiting = numbers.next()
  expect(await numbers.return()).toEqual(NONE)
  expect(await waiting).toEqual(NONE)
  expect(numbers.reported.at(-1)).toBe('freed')
  numbers.offer(1)
  expect(await numbers.next()).toEqual(NONE)
})

test('one that never began is freed, too, and once', async () => {
  const numbers = new Numbers(new AbortController().signal)
  await expect(numbers.throw(new Error('thrown'))).rejects.toThrow('thrown')
  numbers.end()
  expect(await numbers.next()).toEqual(NONE)
  expect(numbers.reported).toEqual(['freed'])
})

test('it ends with its signal, before it began and while it is waited for', async () => {
  expect(await new Numbers(AbortSignal.abort()).next()).toEqual(NONE)
  const stop = new AbortController()
  const numbers = new Numbers(stop.signal)
  const waiting = numbers.next()
  await expect.poll(() => numbers.reported).toEqual(['begun'])
  stop.abort()
  expect(await waiting).toEqual(NONE)
  expect(numbers.reported).toEqual(['begun', 'freed'])
})

test('a failure is thrown once, and is the end', async () => {
  const numbers = new Numbers(new AbortController().signal)
  const waiting = numbers.next()
  numbers.fail(new Error('failed'))
  await expect(waiting).rejects.toThrow('failed')
  expect(await numbers.next()).toEqual(NONE)
  expect(numbers.reported).toEqual(['begun', 'freed'])
})

test('a failure after the reader has left is none', async () => {
  class Late extends Numbers {
    readonly asked = Promise.withResolvers<number>()
    protected override pull = () => {
      this.reported.push('pulled')
      return this.asked.promise
    }
  }
  const late = new Late(new AbortController().signal)
  const waiting = late.next()
  await expect.poll(() => late.reported).toContain('pulled')
  await late.return()
  late.asked.reject(new Error('broken off'))
  expect(await waiting).toEqual(NONE)
})

test('what is waited for a while is given up after it', async () => {
  class Patient extends Numbers {
    protected override async pull(): Promise<number | null> {
      this.forgetNews()
      await this.untilNews(1)
      return 7
    }
  }
  const patient = new Patient(new AbortController().signal)
  expect(await patient.next()).toEqual({ done: false, value: 7 })
  await patient.return()
})
