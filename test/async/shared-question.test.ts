import { expect, test } from 'vitest'
import { SharedQuestion } from '../../src/async/shared-question.ts'

/** A question, and the answers it waits for. */
function questions() {
  const waiting: PromiseWithResolvers<void>[] = []
  const question = new SharedQuestion(() => {
    const answer = Promise.withResolvers<void>()
    waiting.push(answer)
    return answer.promise
  })
  return { question, waiting }
}

test('whoever asks during a question waits for the next, which all of them share', async () => {
  const { question, waiting } = questions()
  const settled: string[] = []
  const ask = (name: string) => question.ask().then(() => settled.push(name))
  const asked = [ask('first'), ask('second'), ask('third')]
  expect(waiting).toHaveLength(1)
  waiting[0]!.resolve()
  await asked[0]
  await expect.poll(() => waiting.length).toBe(2)
  expect(settled).toEqual(['first'])
  waiting[1]!.resolve()
  await Promise.all(asked)
  expect(waiting).toHaveLength(2)
  expect(settled).toEqual(['first', 'second', 'third'])
})

test('a question that fails fails for those who asked it, and is put again for the others', async () => {
  const { question, waiting } = questions()
  const first = question.ask()
  const second = question.ask()
  waiting[0]!.reject(new Error('no answer'))
  await expect(first).rejects.toThrow('no answer')
  await expect.poll(() => waiting.length).toBe(2)
  waiting[1]!.resolve()
  await second
  const third = question.ask()
  expect(waiting).toHaveLength(3)
  waiting[2]!.resolve()
  await third
})
