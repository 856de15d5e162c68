import { StartupFailed } from '../startup-failed.ts'

const TIMEOUT_MS = 15_000

/** Calls the API of a running server. Rejects with StartupFailed. */
export type ServerApi = <T>(query: string, variables?: Record<string, unknown>) => Promise<T>

/** `url`: base URL of the server. */
export function serverApi(url: string, key: string): ServerApi {
  return async <T>(query: string, variables: Record<string, unknown> = {}): Promise<T> => {
    const response = await fetch(new URL('graphql', `${url.replace(/\/*$/, '')}/`), {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json', 'x-api-key': key },
      body: JSON.stringify({ query, variables }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }).catch((error: unknown) => {
      throw new StartupFailed(`The running server at ${url} does not answer: try again, or stop it first.`, {
        cause: error,
      })
    })
    const answer = (await response.json().catch(() => ({}))) as {
      data?: T | null
      errors?: { message: string; extensions?: { code?: string } }[]
    }
    if (answer.errors?.[0]?.extensions?.code === 'UNAUTHENTICATED') {
      throw new StartupFailed(
        'The running server refuses the admin key: set TABWIRE_API_KEY to the one that the server was started with.',
      )
    }
    if (answer.errors?.length) throw new StartupFailed(answer.errors.map(({ message }) => message).join('\n'))
    if (!answer.data) throw new StartupFailed(`The server at ${url} answered with HTTP ${response.status}.`)
    return answer.data
  }
}
