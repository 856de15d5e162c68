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

/** Whether the last navigation of a session worked, in an app that is there only once its tests run. */
export const navigationApi = (tabwire: () => TestApp) => ({
  async startAt(url: string): Promise<Navigated & { id: string }> {
    const query = `mutation ($url: String) { startSession(input: { initialPrompt: $url }, waitUntil: LOADED) { ${NAVIGATED} } }`
    return (await tabwire().query<{ startSession: Navigated & { id: string } }>(query, { url })).startSession
  },

  async navigated(id: string): Promise<Navigated> {
    const query = `query ($id: ID!) { session(id: $id) { ${NAVIGATED} } }`
    return (await tabwire().query<{ session: Navigated }>(query, { id })).session
  },
})
