import { expect } from 'vitest'
import type { TestApp } from './start-app.ts'

interface NavigationError {
  url: string
  code: string
  message: string
  at: string
}

export interface Navigated {
  status: string
  currentUrl: string | null
  lastNavigationError: NavigationError | null
}

export const NAVIGATED = 'id status currentUrl lastNavigationError { url code message at }'

/** Outcome of a session's last navigation, in an app that exists only once its tests run. */
export const navigationApi = (tabwire: () => TestApp) => {
  const navigated = async (id: string): Promise<Navigated> => {
    const query = `query ($id: ID!) { session(id: $id) { ${NAVIGATED} } }`
    return (await tabwire().query<{ session: Navigated }>(query, { id })).session
  }
  return {
    navigated,

    /** The session once its page has arrived or failed: on a slow machine, startSession returns earlier. */
    async startAt(url: string): Promise<Navigated & { id: string }> {
      const query = `mutation ($url: String) { startSession(input: { initialPrompt: $url }, waitUntil: LOADED) { id } }`
      const { id } = (await tabwire().query<{ startSession: { id: string } }>(query, { url })).startSession
      let session = await navigated(id)
      const hasSettled = () => session.lastNavigationError !== null || session.currentUrl === url
      await expect.poll(async () => (session = await navigated(id)) && hasSettled(), { timeout: 80_000 }).toBe(true)
      return { ...session, id }
    },
  }
}
