/**
 * What a field costs beyond the 1 that every field does, for the limit on a whole operation (server/graphql/query-limits.ts).
 * What lies below a list counts as often as the list may be long: as `items` says, or, with 'page', as the `first` or
 * `last` of the connection that it stands in.
 */
export interface FieldCost {
  cost?: { own?: number; items?: number | 'page' }
}

export const COST = {
  /** A page from the database. */
  page: { cost: { own: 10 } },
  /** Counting may have to look through a whole log. */
  count: { cost: { own: 200 } },
  /** Read together for a whole response, which is bounded in bytes of its own: see docs/log.md. */
  body: { cost: { own: 2 } },
  /** A question to the browser. */
  browser: { cost: { own: 20 } },
  /** A page is read and told. */
  observation: { cost: { own: 100 } },
  /** As many steps as one request may have. */
  act: { cost: { own: 200, items: 100 } },
  /** Starts a process. */
  start: { cost: { own: 1_000 } },
  /** A mutation of one row. */
  change: { cost: { own: 50 } },
  /** The nodes or edges of a page. */
  onPage: { cost: { items: 'page' } },
  /** Lists without an argument: a few pages of a browser, a few keys. */
  shortList: { cost: { items: 10 } },
  /** The batch of a subscription: the most entries that one holds. */
  batch: { cost: { items: 500 } },
} as const satisfies Record<string, FieldCost>
