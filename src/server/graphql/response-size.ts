import { setImmediate as yieldToOthers } from 'node:timers/promises'
import type { ExecutionResult } from 'graphql'

/** Maximum length of a character in JSON: \u0001. */
const MAX_PER_CHARACTER = 6
const YIELD_AFTER_MS = 5

/**
 * Approximate size of a result as JSON, in bytes; null: more than `maxBytes`. Computed before serialization, which
 * cannot be aborted: first with the minimum and maximum length of each text. Only if that leaves the question open are
 * texts serialized piece by piece, yielding to other work.
 */
export async function sizeOfResponse(result: ExecutionResult, maxBytes: number): Promise<number | null> {
  const least = leastSize(result, maxBytes)
  if (least > maxBytes) return null
  if (least * MAX_PER_CHARACTER <= maxBytes) return least
  let size = least
  let startedAt = performance.now()
  for (const text of textsOf(result)) {
    size += Buffer.byteLength(JSON.stringify(text)) - text.length - 2
    if (size > maxBytes) return null
    if (performance.now() - startedAt < YIELD_AFTER_MS) continue
    await yieldToOthers()
    startedAt = performance.now()
  }
  return size
}

/** Counts one byte per character; stops at the limit. */
function leastSize({ data, errors }: ExecutionResult, maxBytes: number): number {
  const stack: unknown[] = [data, ...(errors?.map((error) => error.toJSON()) ?? [])]
  let size = 0
  while (stack.length > 0 && size <= maxBytes) {
    const value = stack.pop()
    if (typeof value === 'string') size += value.length + 3
    else if (typeof value !== 'object' || value === null) size += 5
    else if (Array.isArray(value)) for (const item of value) stack.push(item)
    else {
      for (const key in value) {
        size += key.length + 4
        stack.push((value as Record<string, unknown>)[key])
      }
    }
  }
  return size
}

function* textsOf({ data, errors }: ExecutionResult): Generator<string> {
  const stack: unknown[] = [data, ...(errors?.map((error) => error.toJSON()) ?? [])]
  while (stack.length > 0) {
    const value = stack.pop()
    if (typeof value === 'string') yield value
    else if (Array.isArray(value)) for (const item of value) stack.push(item)
    else if (typeof value === 'object' && value !== null) {
      // Field names are ASCII; keys within JSON may be anything.
      for (const key in value) {
        yield key
        stack.push((value as Record<string, unknown>)[key])
      }
    }
  }
}
