import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/support/built-dashboard.ts',
    // Vitest's own module runner would load a second instance of graphql (DESIGN.md, Facts); Node runs .ts itself.
    experimental: { viteModuleRunner: false },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Conditions are waited for as long as a busy machine may need; how fast things are is what bench/ measures.
    expect: { poll: { timeout: 15_000 } },
    // Two cores: more files at once only make real browsers slower.
    maxWorkers: 2,
  },
})
