import { BadUserInput, type InputIssue } from './errors.ts'

/** The paging arguments of a Relay connection, as received. */
export interface PageArguments {
  first?: number | null
  after?: string | null
  last?: number | null
  before?: string | null
  offset?: number | null
}

export interface PageBounds {
  min: number
  max: number
  default: number
}

export interface PageRequest {
  direction: 'forward' | 'backward'
  limit: number
  offset: number
}

/** Skipped rows are read all the same (guarantee 11); a cursor has no such limit. */
const MAX_OFFSET = 10_000

/** Checks all paging arguments at once: out-of-range values are an error, never clamped. */
export function pageRequest(args: PageArguments, bounds: PageBounds): PageRequest {
  const issues: InputIssue[] = []
  const { first, last, offset } = args
  for (const [name, value] of [
    ['first', first],
    ['last', last],
  ] as const) {
    if (value != null && (value < bounds.min || value > bounds.max)) {
      issues.push({ path: [name], code: 'OUT_OF_RANGE', message: `must be from ${bounds.min} to ${bounds.max}` })
    }
  }
  if (offset != null && (offset < 0 || offset > MAX_OFFSET)) {
    issues.push({ path: ['offset'], code: 'OUT_OF_RANGE', message: `must be from 0 to ${MAX_OFFSET}` })
  }
  if (offset != null && (args.after != null || args.before != null)) {
    issues.push({ path: ['offset'], code: 'CONFLICT', message: 'cannot be given together with a cursor' })
  }
  if (last != null && offset != null) {
    issues.push({ path: ['offset'], code: 'CONFLICT', message: 'cannot be given together with last' })
  }
  if (issues.length > 0) throw new BadUserInput(issues)
  // `first` has a default in the schema, so a client that pages backwards seems to pass both: then `last` decides.
  const direction = last == null ? 'forward' : 'backward'
  return { direction, limit: (direction === 'forward' ? first : last) ?? bounds.default, offset: offset ?? 0 }
}
