/**
 * Approximate bytes of an entry's data in memory, for the bounds of queues and tails: strings are counted, the rest
 * is a flat estimate. An exact size would cost a serialization per entry on the hottest path.
 */
export function approximateSize(value: unknown): number {
  if (typeof value === 'string') return 2 * value.length
  if (typeof value !== 'object' || value === null) return 8
  let size = 64
  for (const key in value)
    size += Math.max(16, 2 * key.length) + approximateSize((value as Record<string, unknown>)[key])
  return size
}
