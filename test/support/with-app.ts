import { afterAll, beforeAll } from 'vitest'
import type { AppOptions } from '../../src/app.ts'
import type { Config } from '../../src/config.ts'
import { connectApi } from './connect-api.ts'
import { leakGate } from './leak-gate.ts'
import { sessionApi } from './session-api.ts'
import { startTestApp, type TestApp } from './start-app.ts'

/** A site that tests run against. */
export interface Site {
  /** http://127.0.0.1:<port> */
  url: string
  close(): Promise<void>
}

/**
 * Call at the top of an end-to-end file: Tabwire and a site for all of its tests, with the usual helpers. Neither may
 * leave anything behind after the last test. Both exist only once tests run, hence the getters.
 */
export function withApp<S extends Site>(
  startSite: () => Promise<S>,
  overrides: Partial<Config> = {},
  options: AppOptions = {},
) {
  // First, so that it runs after the clean-up below.
  leakGate()
  let started: S | undefined
  let app: TestApp | undefined

  beforeAll(async () => {
    started = await startSite()
    app = await startTestApp(overrides, undefined, options)
  })

  afterAll(async () => {
    await app?.close()
    await started?.close()
  })

  const tabwire = (): TestApp => app!
  const site = (): S => started!
  return { tabwire, site, ...sessionApi(tabwire), ...connectApi(tabwire) }
}
