import { setTimeout as pause } from 'node:timers/promises'
import type { GraphqlClient } from './graphql-client.ts'

/** Browsers that the server keeps ready by default (TABWIRE_WARM_BROWSERS). */
export const WARM_BROWSERS = 2

/**
 * Waits until the pool is full. It refills after a start, and launching a browser uses most of a core and writes to
 * the disk, which must not affect the next measurement.
 */
export async function untilWarm(client: GraphqlClient): Promise<void> {
  for (;;) {
    const { capacity } = await client.query<{ capacity: { warm: number } }>('{ capacity { warm } }')
    if (capacity.warm === WARM_BROWSERS) break
    await pause(10)
  }
  await pause(30)
}
