/** Answers to acts are small; a larger one is not looked into. */
const MOST_OUTCOME_BYTES = 64 * 1024

/** Why the browser did not do it, for people; null: it did, and opened this target if any. */
export function outcomeIn(message: Buffer): { failure: string | null; targetId: string | null } {
  if (message.length > MOST_OUTCOME_BYTES) return { failure: null, targetId: null }
  const { error, result } = JSON.parse(message.toString()) as {
    error?: { message?: string }
    result?: { errorText?: string; targetId?: string }
  }
  const failure = error ? (error.message ?? 'refused') : (result?.errorText ?? null)
  return { failure, targetId: result?.targetId ?? null }
}
