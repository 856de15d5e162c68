import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { WAIT_LIMITS } from './test/support/time-limits.ts'

// Node strips the types of each file, and compiles it, once for all processes and threads of all runs.
process.env['NODE_COMPILE_CACHE'] ??= join(import.meta.dirname, 'node_modules', '.cache', 'compiled')

/** Files that leave nothing behind in their process: no module's state, no environment, no fake timers. */
const SHARED = [
  'test/{action-kinds,architecture,architecture-programs,architecture-technologies,bench-results,config,container-files}.test.ts',
  'test/{contract-suites,devtools-document,documentation,documents,error-codes,lockfile}.test.ts',
  'test/{merging-selections,schema,source-files,source-imports}.test.ts',
  'test/client/{event-stream-client,log-reader}.test.ts',
  'test/{async,contracts,dashboard,domain,server}/**/*.test.ts',
  'test/adapters/{chat-model,oidc,postgres}/*.test.ts',
  'test/adapters/egress/{close-frames,handshake,names,outcome-budget,tunnel,upstream}.test.ts',
  'test/adapters/playwright/{answers,browser-end,browser-pipe,cdp-commands,client-folder,client-relay,connection-outcomes}.test.ts',
  'test/adapters/playwright/{dialogs,download-handover,odd-events,plain-file,release-barrier,trace-part,webm}.test.ts',
  'test/adapters/playwright/{body-recorder,body-text,browser-priority,client-action-recorder}.test.ts',
  'test/adapters/playwright/{client-command,client-uploads,crash-watch,draft-queue,fair-scheduler,frame-stream}.test.ts',
  'test/adapters/playwright/{left-requests,navigation-watch,network-cookies,unknown-picture-size,worker-release}.test.ts',
  'test/e2e/{action-turns,anonymous-clients,artifact-downloads,artifact-links,artifact-lists,artifact-s3}.test.ts',
  'test/e2e/{artifact-uploads,blocked-steps,bodies,connect-bridge,connect-contexts,connect-files}.test.ts',
  'test/e2e/{connect-idle,connect-resources,connect-workers,connect-worlds,crowds-of-reads,dashboard-bodies}.test.ts',
  'test/e2e/{dashboard-live-link,dashboard-s3,dashboard-streams,dashboard-values,error-counts}.test.ts',
  'test/e2e/{event-source-messages,graphql-auth,graphql-errors,graphql-http-audits,graphql-nodes}.test.ts',
  'test/e2e/{http-credentials,live-view-link,log-export,navigation-errors,navigation-timeouts}.test.ts',
  'test/e2e/{oauth,reported-at-end,requests-at-end,service-worker-answers,session-list,task-failures}.test.ts',
  'test/e2e/{typed-secrets,web-socket-messages,whole-entries,worker-options}.test.ts',
]

export default defineConfig({
  test: {
    globalSetup: 'test/support/built-dashboard.ts',
    // Vitest's own module runner would load a second instance of graphql; Node runs .ts itself.
    experimental: { viteModuleRunner: false },
    // Against what hangs, not what is slow: longer than any condition is waited for, so that this one is what is told.
    testTimeout: 90_000,
    hookTimeout: 90_000,
    expect: { poll: WAIT_LIMITS },
    // Two cores: more files at once only make real browsers slower.
    maxWorkers: 2,
    execArgv: [
      // To optimize the embedded database takes longer than tests use it.
      '--liftoff-only',
      '--import',
      join(import.meta.dirname, 'scripts', 'drizzle-imports.mjs'),
    ],
    projects: [
      // One process a worker imports the code, and compiles the embedded database, once for all of its files.
      {
        extends: true,
        test: { name: 'shared', include: SHARED, isolate: false, setupFiles: 'test/support/shared-process.ts' },
      },
      { extends: true, test: { name: 'own', include: ['test/**/*.test.ts'], exclude: [...SHARED, 'test/clients/**'] } },
    ],
  },
})
