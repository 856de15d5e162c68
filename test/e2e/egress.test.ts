import { expect, test } from 'vitest'
import { canIsolate, runIsolated } from '../support/isolated-network.ts'

/** They need root, and a network namespace with addresses of their own: see test/isolated. */
test.skipIf(!canIsolate).for(['open', 'public'])(
  'in a network of its own: what a server with egress %s reaches',
  { timeout: 300_000 },
  async (name) => {
    expect(await runIsolated(`test/isolated/${name}.isolated.ts`)).toBe('passed')
  },
)
