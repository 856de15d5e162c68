import { useEffect, useMemo, useSyncExternalStore } from 'react'
import type { LogFeed, LogVariables } from './log-feed.ts'
import type { LogStore } from './log-store.ts'

/** The store of a feed, which is filled from now on. */
export function useLog<Entry extends { readonly sequence: number }, Variables extends LogVariables>(
  feed: LogFeed<Entry, Variables>,
): LogStore<Entry> {
  useEffect(() => feed.start(), [feed])
  useSyncExternalStore(feed.store.changes.subscribe, feed.store.changes.version)
  return feed.store
}

/**
 * The matching entries. Only new entries are tested, regardless of the length of the log. The predicate must keep its
 * identity while its meaning is the same; null matches all.
 */
export function useMatching<Entry>(entries: readonly Entry[], matches: ((entry: Entry) => boolean) | null) {
  const found = useMemo(() => new Matching(entries, matches), [entries, matches])
  return found.upToNow()
}

class Matching<Entry> {
  readonly #entries: readonly Entry[]
  readonly #matches: ((entry: Entry) => boolean) | null
  readonly #found: Entry[] = []
  #looked = 0

  constructor(entries: readonly Entry[], matches: ((entry: Entry) => boolean) | null) {
    this.#entries = entries
    this.#matches = matches
  }

  upToNow(): readonly Entry[] {
    if (!this.#matches) return this.#entries
    for (; this.#looked < this.#entries.length; this.#looked += 1) {
      const entry = this.#entries[this.#looked]!
      if (this.#matches(entry)) this.#found.push(entry)
    }
    return this.#found
  }
}
