import { join } from 'node:path'
import { defineConfig, type Plugin } from 'vite'

const ROOT = import.meta.dirname
const LIBRARIES = 'libraries'

/** Libraries are not mapped: reading their maps takes time and memory, and their names and comments are kept. */
const withoutMapsOfLibraries: Plugin = {
  name: 'without-maps-of-libraries',
  generateBundle(_, bundle) {
    for (const [name, file] of Object.entries(bundle)) {
      if (file.type !== 'chunk' || !name.startsWith(LIBRARIES)) continue
      file.code = file.code.replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n')
      delete bundle[`${name}.map`]
    }
  },
}

/** The bundle of the server, in dist/: fewer and smaller files than its packages have, so that it starts in less time and memory. */
export default defineConfig({
  root: ROOT,
  publicDir: false,
  logLevel: 'warn',
  plugins: [withoutMapsOfLibraries],
  ssr: {
    noExternal: true,
    // They find files of their own beside their code: browsers.json and the trace viewer, WebAssembly, the GraphiQL page.
    external: ['playwright', 'playwright-core', '@electric-sql/pglite', '@graphql-yoga/render-graphiql'],
  },
  build: {
    ssr: true,
    target: 'node22',
    outDir: 'dist',
    emptyOutDir: true,
    minify: false,
    sourcemap: true,
    // The code of others is a part of it, and so are their licenses.
    license: { fileName: 'THIRD-PARTY-LICENSES.md' },
    rolldownOptions: {
      input: {
        main: join(ROOT, 'src/main.ts'),
        app: join(ROOT, 'src/app.ts'),
        // Worker threads, started by name beside the code that starts them.
        'embedded-worker': join(ROOT, 'src/adapters/postgres/embedded/embedded-worker.ts'),
        'egress-worker': join(ROOT, 'src/adapters/egress/thread/egress-worker.ts'),
        'schema-worker': join(ROOT, 'src/adapters/json-schema/schema-worker.ts'),
      },
      output: {
        // All in one folder: what a file reaches by its own URL is the same wherever the bundler puts its code.
        entryFileNames: '[name].js',
        chunkFileNames: '[name].js',
        sourcemapExcludeSources: true,
        codeSplitting: {
          // Code of others in files of its own, one for each set of entries that need it.
          groups: [{ name: LIBRARIES, test: /node_modules/, entriesAware: true }],
        },
      },
    },
  },
})
