import { expect, test } from 'vitest'
import { OwnNavigation } from '../../../src/adapters/playwright/network/navigation-watch.ts'

const OWN = 'http://site/own'
const CANCELED = 'net::ERR_ABORTED'
const PENDING = Symbol('pending')

/** The state of a promise once all pending tasks have run. */
async function now<T>(promise: Promise<T> | null): Promise<T | typeof PENDING | null> {
  await new Promise(setImmediate)
  return promise === null ? null : Promise.race([promise, Promise.resolve(PENDING)])
}

function asked(): OwnNavigation {
  const own = new OwnNavigation(OWN, () => {})
  own.asked('own', OWN)
  return own
}

test('a rival that is replaced has ended when the last one has', async () => {
  const own = asked()
  own.began('first', 'http://site/first')
  const { rivalEnded } = own
  own.failed('own', CANCELED)
  own.began('second', 'http://site/second')
  own.failed('first', CANCELED)
  expect(await now(rivalEnded)).toBe(PENDING)
  own.began('third', 'http://site/third')
  own.shown('third', 'http://site/third', 1)
  expect(await now(rivalEnded)).toBeUndefined()
})

test('a rival that is told to be canceled before the next begins has ended when that one has', async () => {
  const own = asked()
  own.began('first', 'http://site/first')
  own.failed('own', CANCELED)
  own.failed('first', CANCELED)
  expect(await now(own.rivalEnded)).toBe(PENDING)
  own.began('second', 'http://site/second')
  expect(await now(own.rivalEnded)).toBe(PENDING)
  own.shown('second', 'http://site/second', 1)
  expect(await now(own.rivalEnded)).toBeUndefined()
})

test('a rival that cannot be loaded has ended at once', async () => {
  const own = asked()
  own.began('rival', 'http://site/rival')
  own.failed('own', CANCELED)
  own.failed('rival', 'net::ERR_EMPTY_RESPONSE')
  expect(await now(own.rivalEnded)).toBeUndefined()
})

test('what becomes of one that is canceled is decided when the page stops loading, or a rival begins', async () => {
  const stopped = asked()
  stopped.failed('own', CANCELED)
  expect(await now(stopped.decided)).toBe(PENDING)
  stopped.stoppedLoading()
  expect(await now(stopped.decided)).toBeUndefined()
  expect(stopped.rivalEnded).toBeNull()

  const replaced = asked()
  replaced.failed('own', CANCELED)
  const { decided } = replaced
  replaced.began('rival', 'http://site/rival')
  expect(await now(decided)).toBeUndefined()
  expect(await now(replaced.rivalEnded)).toBe(PENDING)
})

test('a rival that begins when the one before it has failed is waited for anew', async () => {
  const own = asked()
  own.began('first', 'http://site/first')
  own.failed('own', CANCELED)
  own.failed('first', CANCELED)
  own.stoppedLoading()
  expect(await now(own.rivalEnded)).toBeUndefined()
  own.began('second', 'http://site/second')
  expect(await now(own.rivalEnded)).toBe(PENDING)
  own.failed('second', CANCELED)
  own.stoppedLoading()
  expect(await now(own.rivalEnded)).toBeUndefined()
})

for (const order of ['before', 'after']) {
  test(`a navigation to the same address takes the place of one that fails ${order} it begins`, async () => {
    const own = asked()
    if (order === 'before') own.failed('own', CANCELED)
    own.began('again', `${OWN}#part`)
    if (order === 'after') own.failed('own', CANCELED)
    own.asked('again', OWN)
    expect(own.rivalEnded).toBeNull()
    expect(own.timesAsked).toBe(2)
    expect(await now(own.settled)).toBe(PENDING)
    own.answered('again', 203)
    own.shown('again', OWN, 1)
    expect(await now(own.settled)).toEqual({ kind: 'ARRIVED' })
    expect(own.status).toBe(203)
  })
}

test('a rival has ended when the page is asked for the own address again', async () => {
  const own = asked()
  own.began('rival', 'http://site/rival')
  const { rivalEnded } = own
  own.began('again', OWN)
  expect(await now(rivalEnded)).toBeUndefined()
  expect(own.rivalEnded).toBeNull()
})
