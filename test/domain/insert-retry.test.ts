import { expect, test } from 'vitest'
import { insertWithRetry } from '../../src/domain/kernel/insert-retry.ts'
import { StoreFull, StoreUnavailable } from '../../src/ports/store/store-errors.ts'

/** An insertion whose calls end one after the other as given. */
function inserting(...ends: (string | Error)[]) {
  const waiting = [...ends]
  const insert = async () => {
    const end = waiting.shift()!
    if (end instanceof Error) throw end
    return end
  }
  return { insert, waiting }
}

const away = () => new StoreUnavailable(new Error('away'))

test('a row is inserted again while the store is unavailable', async () => {
  const { insert, waiting } = inserting(away(), away(), 'inserted')
  await expect(insertWithRetry(insert)).resolves.toBe('inserted')
  expect(waiting).toEqual([])
})

test('not for ever: the last reason is the caller’s', async () => {
  const last = away()
  const { insert, waiting } = inserting(away(), away(), last, 'never asked for')
  await expect(insertWithRetry(insert)).rejects.toBe(last)
  expect(waiting).toEqual(['never asked for'])
})

test.each([new StoreFull(new Error('full')), new Error('a fault'), new TypeError('a fault of ours')])(
  'what trying again cannot help is the caller’s at once: %s',
  async (reason) => {
    const { insert, waiting } = inserting(reason, 'never asked for')
    await expect(insertWithRetry(insert)).rejects.toBe(reason)
    expect(waiting).toEqual(['never asked for'])
  },
)
