import { setTimeout as pause } from 'node:timers/promises'
import type { GraphqlClient } from './graphql-client.ts'

/** What the server keeps ready unless it is told otherwise (TABWIRE_WARM_BROWSERS). */
export const WARM_BROWSERS = 2

/**
 * Waits until the pool is full. It refills behind a start, and the launch of a browser takes most of a core and writes to
 * the disk: what is measured next shall not pay for it.
 */
export async function untilWarm(client: GraphqlClient): Promise<void> {
  for (;;) {
    const { capacity } = await client.query<{ capacity: { warm: number } }>('{ capacity { warm } }')
    if (capacity.warm === WARM_BROWSERS) break
    await pause(10)
  }
  await pause(30)
}
