import { once } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { MessageChannel } from 'node:worker_threads'
import { expect, onTestFinished, test } from 'vitest'
import { startLateTimer } from '../../src/async/late-timer.ts'

/** A message has arrived, and the process was busy until after the timer. */
function busyUntilLate() {
  const { port1, port2 } = new MessageChannel()
  onTestFinished(() => port1.close())
  const arrived = once(port1, 'message')
  port2.postMessage('arrived')
  const until = performance.now() + 50
  while (performance.now() < until);
  return arrived
}

test('what has arrived while the process was busy comes first', async () => {
  const order: string[] = []
  const { promise: isLate, resolve } = Promise.withResolvers<void>()
  startLateTimer(() => resolve(void order.push('late')), 5)
  const arrived = busyUntilLate().then(() => order.push('arrived'))
  await Promise.all([arrived, isLate])
  expect(order).toEqual(['arrived', 'late'])
})

test('what has arrived may cancel it, though its time is over', async () => {
  let isLate = false
  const cancel = startLateTimer(() => (isLate = true), 5)
  await busyUntilLate().then(cancel)
  for (let turn = 0; turn < 3; turn += 1) await nextTurn()
  expect(isLate).toBe(false)
})
