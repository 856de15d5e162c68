import { expect, test } from 'vitest'
import { canIsolate, runIsolated } from '../support/isolated-network.ts'

/** They need root, and a network namespace with addresses of their own: see test/isolated. */
test.skipIf(!canIsolate).for(['open', 'public', 'tasks'])(
  'in a network of its own: what is reached, and what is not: %s',
  { timeout: 600_000 },
  async (name, { signal }) => {
    expect(await runIsolated(`test/isolated/${name}.isolated.ts`, signal)).toBe('passed')
  },
)
