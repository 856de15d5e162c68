/**
 * Cost of a field beyond the 1 of every field, for the limit on a whole operation (server/graphql/query-limits.ts).
 * The selection below a list is multiplied by the list's maximum length: `items`, or, with 'page', the `first` or
 * `last` of the enclosing connection.
 */
export interface FieldCost {
  cost?: { own?: number; items?: number | 'page' }
}

export const COST = {
  /** A page from the database. */
  page: { cost: { own: 10 } },
  /** Counting may scan a whole log. */
  count: { cost: { own: 200 } },
  /** Batched for a whole response, which has a bound in bytes of its own: see docs/log.md. */
  body: { cost: { own: 5 } },
  /** A link is signed, for 15 µs. */
  link: { cost: { own: 15 } },
  /** A round trip to the browser. */
  browser: { cost: { own: 20 } },
  /** A page is read and described. */
  observation: { cost: { own: 100 } },
  /** Maximum number of steps per request. */
  act: { cost: { own: 200, items: 100 } },
  /** Starts a process. */
  start: { cost: { own: 1_000 } },
  /** A mutation of one row. */
  change: { cost: { own: 50 } },
  /** The nodes or edges of a page. */
  onPage: { cost: { items: 'page' } },
  /** Lists without arguments: a few pages of a browser, a few keys. */
  shortList: { cost: { items: 10 } },
  /** A list of servers. */
  machines: { cost: { own: 10, items: 200 } },
  /** Batch of a subscription: maximum number of its entries. */
  batch: { cost: { items: 500 } },
} as const satisfies Record<string, FieldCost>
