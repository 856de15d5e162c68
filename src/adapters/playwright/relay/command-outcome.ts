import type { LoadedResource } from '../cdp/protocol/loaded-resource.ts'

/** Answers to acts are small; a larger one is not looked into. */
const MAX_OUTCOME_BYTES = 64 * 1024

interface CommandOutcome {
  /** Why the browser did not do it, for people; null: it did. */
  failure: string | null
  /** What it opened, and what it loaded, if anything. */
  targetId: string | null
  resource: LoadedResource | null
}

export function outcomeIn(message: Buffer): CommandOutcome {
  if (message.length > MAX_OUTCOME_BYTES) return { failure: null, targetId: null, resource: null }
  const { error, result } = JSON.parse(message.toString()) as {
    error?: { message?: string }
    result?: { errorText?: string; targetId?: string; resource?: LoadedResource }
  }
  const failure = error ? (error.message ?? 'refused') : (result?.errorText ?? null)
  return { failure, targetId: result?.targetId ?? null, resource: result?.resource ?? null }
}
