/**
 * About how many bytes an entry's data takes in memory, for the bounds of queues and tails: the strings count, the rest
 * is a flat guess. Exactness would cost a serialisation per entry on the hottest path.
 */
export function approximateSize(value: unknown): number {
  if (typeof value === 'string') return 2 * value.length
  if (typeof value !== 'object' || value === null) return 8
  let size = 64
  for (const key in value)
    size += Math.max(16, 2 * key.length) + approximateSize((value as Record<string, unknown>)[key])
  return size
}
