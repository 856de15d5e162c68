/**
 * Sanitizes page-made text for storage, once, before an entry gets its sequence (guarantee 9): well-formed UTF-16
 * without U+0000. Measured: one NUL or lone surrogate fails a whole batch in PostgreSQL and would stall the log
 * forever.
 */
export function wellFormed(text: string): string {
  const repaired = text.isWellFormed() ? text : text.toWellFormed()
  return repaired.includes('\0') ? repaired.replaceAll('\0', '\uFFFD') : repaired
}

/**
 * The same for a JSON-like value, deeply, keys included. Values that need no repair are returned as they are, not
 * copied.
 */
export function deeplyWellFormed<T>(value: T): T {
  return repair(value) as T
}

function repair(value: unknown): unknown {
  if (typeof value === 'string') return wellFormed(value)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    const items = value.map(repair)
    return items.every((item, index) => item === value[index]) ? value : items
  }
  let copy: Record<string, unknown> | null = null
  for (const [key, member] of Object.entries(value)) {
    const goodKey = wellFormed(key)
    const goodMember = repair(member)
    if (goodKey !== key || goodMember !== member) {
      copy ??= { ...(value as Record<string, unknown>) }
      if (goodKey !== key) delete copy[key]
      copy[goodKey] = goodMember
    }
  }
  return copy ?? value
}
