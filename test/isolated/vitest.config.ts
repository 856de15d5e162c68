import { defineConfig } from 'vitest/config'
import shared from '../../vitest.config.ts'

/** Tests that need a network of their own: support/isolated-network.ts runs them in one. */
export default defineConfig({ test: { ...shared.test, include: ['test/isolated/*.isolated.ts'] } })
