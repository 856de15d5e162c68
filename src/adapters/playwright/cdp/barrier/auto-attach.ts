interface FilterEntry {
  type?: unknown
  exclude?: unknown
}

/** What Chromium applies where a command names no filter. */
const DEFAULT_FILTER: readonly FilterEntry[] = [{ type: 'browser', exclude: true }, { type: 'tab', exclude: true }, {}]

/** What one session asked for by `Target.setAutoAttach`, as far as it holds new targets. */
export interface AutoAttach {
  /** Whether a new target of the type waits for this session's `Runtime.runIfWaitingForDebugger`. */
  holds(type: string): boolean
}

/** Null: the command makes new targets wait for nothing. */
export function readAutoAttach(params: object): AutoAttach | null {
  const { autoAttach, waitForDebuggerOnStart, filter } = params as Record<string, unknown>
  if (autoAttach !== true || waitForDebuggerOnStart !== true) return null
  const entries = Array.isArray(filter) ? (filter as (FilterEntry | null)[]) : DEFAULT_FILTER
  return {
    // The first entry that matches decides; without one the target is left alone.
    holds: (type) => {
      const first = entries.find((entry) => entry && (entry.type === undefined || entry.type === type))
      return first ? first.exclude !== true : false
    },
  }
}
