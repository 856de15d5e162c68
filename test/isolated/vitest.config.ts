import { defineConfig } from 'vitest/config'
import shared from '../../vitest.config.ts'

/** Tests that need a separate network: support/isolated-network.ts runs them in one. */
const projects = [{ extends: true as const, test: { name: 'isolated', include: ['test/isolated/*.isolated.ts'] } }]

export default defineConfig({ test: { ...shared.test, projects } })
