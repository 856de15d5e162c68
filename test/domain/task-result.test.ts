import { expect, test } from 'vitest'
import { WorkerSchemas } from '../../src/adapters/json-schema/worker-schemas.ts'
import { readResult } from '../../src/domain/tasks/task-result.ts'

const schemas = new WorkerSchemas()

const nested = (levels: number): unknown => {
  let value: unknown = 1
  for (let level = 0; level < levels; level += 1) value = [value]
  return value
}

test('what nests deeper than anyone can write down is a problem that the model is told of', async () => {
  const anything = await schemas.read({})
  expect((await readResult(nested(100), anything)).problem).toBeNull()
  for (const schema of [anything, null]) {
    for (const levels of [101, 20_000]) {
      const { result, problem } = await readResult(nested(levels), schema)
      expect(problem).toContain('100 levels')
      expect(result).toBeNull()
    }
  }
  const asText = `${'['.repeat(3_000)}${']'.repeat(3_000)}`
  expect((await readResult(asText, await schemas.read({ type: 'array' }))).problem).toContain('100 levels')
  expect(await readResult(asText, null)).toEqual({ result: asText, problem: null })
})
