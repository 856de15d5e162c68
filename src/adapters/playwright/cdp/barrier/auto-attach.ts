interface FilterEntry {
  type?: unknown
  exclude?: unknown
}

/** The filter that Chromium applies if the command has none. */
const DEFAULT_FILTER: readonly FilterEntry[] = [{ type: 'browser', exclude: true }, { type: 'tab', exclude: true }, {}]

/** Each session keeps its own; Chromium has a dozen types of targets. */
export const MAX_ENTRIES = 100

/** Nothing else of an entry is kept: a client may write megabytes. */
function kept(entry: FilterEntry | null): FilterEntry {
  const { type, exclude } = entry ?? { type: NONE }
  const isKnown = type === undefined || (typeof type === 'string' && type.length <= MAX_TYPE)
  return { type: isKnown ? type : NONE, exclude: exclude === true }
}

/** Longer than the name of any type. */
const MAX_TYPE = 64
const NONE = ''

/** The part of a session's `Target.setAutoAttach` that pauses new targets. */
export interface AutoAttach {
  /** Whether a new target of the type waits for this session's `Runtime.runIfWaitingForDebugger`. */
  pauses(type: string): boolean
}

/** Null: the command does not pause new targets. */
export function readAutoAttach(params: object): AutoAttach | null {
  const { autoAttach, waitForDebuggerOnStart, filter } = params as Record<string, unknown>
  if (autoAttach !== true || waitForDebuggerOnStart !== true) return null
  const entries = Array.isArray(filter)
    ? (filter as (FilterEntry | null)[]).slice(0, MAX_ENTRIES).map(kept)
    : DEFAULT_FILTER
  return {
    // The first matching entry decides; without a match the target is not attached to.
    pauses: (type) => {
      const first = entries.find((entry) => entry && (entry.type === undefined || entry.type === type))
      return first ? first.exclude !== true : false
    },
  }
}
