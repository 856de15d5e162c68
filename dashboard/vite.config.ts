import { join } from 'node:path'
import { defineConfig } from 'vite'

export default defineConfig({
  root: import.meta.dirname,
  // Relative to the page, so that a proxy may serve everything below a path.
  base: './',
  publicDir: false,
  logLevel: 'warn',
  build: {
    outDir: join(import.meta.dirname, '..', 'dist-dashboard'),
    emptyOutDir: true,
    assetsDir: 'dashboard/assets',
    // The page's policy allows no data: URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2023',
    rolldownOptions: {
      onLog(level, log, handle) {
        // Libraries mark client-only modules; nothing here runs on a server.
        if (log.code !== 'MODULE_LEVEL_DIRECTIVE') handle(level, log)
      },
    },
  },
})
