import type { Answer, TestApp } from './start-app.ts'
import { readEntireLog } from './entire-log.ts'

export interface ActionData {
  __typename: string
  id: string
  sequence: number
  cursor: string
  at: string
  startedAt: string
  type: string
  origin: string
  pageId: string | null
  success: boolean
  error: { code: string; message: string } | null
  durationMs: number
  details: Record<string, unknown>
  result: unknown
  artifact: { id: string; kind: string; contentType: string; sizeBytes: number; url: string } | null
  taskId: string | null
  cost: unknown
}

export const ACTION = `__typename id sequence cursor at startedAt type origin pageId success error { code message } durationMs
  details result artifact { id kind contentType sizeBytes url } taskId cost { usd }`

export type Steps = Record<string, unknown>[]

const RUN = `mutation ($id: ID!, $pageId: ID, $actions: [ActionInput!]!) {
  runActions(sessionId: $id, pageId: $pageId, actions: $actions) { ${ACTION} } }`

/** Runs actions in sessions of an app that exists only once its tests run. */
export const actionApi = (tabwire: () => TestApp) => ({
  async run(id: string, actions: Steps, pageId: string | null = null): Promise<ActionData[]> {
    return (await tabwire().query<{ runActions: ActionData[] }>(RUN, { id, pageId, actions })).runActions
  },

  /** For actions that must fail. */
  tryRun(id: string, actions: unknown, more: { pageId?: string; apiKey?: string } = {}): Promise<Answer<unknown>> {
    return tabwire().send(RUN, { id, pageId: more.pageId ?? null, actions }, more.apiKey ?? tabwire().apiKey)
  },

  /** Like run, for a client that can disconnect. */
  async runUntil(id: string, actions: Steps, signal: AbortSignal): Promise<unknown> {
    const headers = { 'content-type': 'application/json', 'x-api-key': tabwire().apiKey }
    const body = JSON.stringify({ query: RUN, variables: { id, pageId: null, actions } })
    const response = await fetch(`${tabwire().url}/graphql`, { method: 'POST', headers, body, signal })
    return response.json()
  },

  logged(id: string, apiKey?: string): Promise<ActionData[]> {
    return readEntireLog(tabwire(), id, ACTION, { connection: 'actions', ...(apiKey === undefined ? {} : { apiKey }) })
  },
})

/** Outcomes of steps, one word each. */
export const outcomes = (actions: readonly ActionData[]) => actions.map(({ error }) => error?.code ?? 'DONE')
