import { messages } from './messages.ts'

/** GraphiQL keeps the key under the same name, in the same tab: whoever is signed in here is signed in there. */
const STORED_KEY = 'tabwire.apiKey'

export interface SignInOutcome {
  apiKey: string | null
  /** Why there is no key, for people; null when nobody tried. */
  problem: string | null
}

/**
 * The key of this tab: from the code in the link that the server prints, or the one that an earlier visit left in
 * this tab. The code is taken out of the address before anything can fail: what stays there ends up in histories.
 */
export async function signIn(): Promise<SignInOutcome> {
  const code = new URLSearchParams(location.hash.slice(1)).get('code')
  if (code === null) return { apiKey: sessionStorage.getItem(STORED_KEY), problem: null }
  history.replaceState(null, '', location.pathname + location.search)
  try {
    const response = await fetch(new URL('sign-in', document.baseURI), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ code }),
    })
    const answer = (await response.json()) as { apiKey?: string; error?: { message: string } }
    if (answer.apiKey) {
      keepKey(answer.apiKey)
      return { apiKey: answer.apiKey, problem: null }
    }
    return { apiKey: sessionStorage.getItem(STORED_KEY), problem: answer.error?.message ?? messages.signIn.failed }
  } catch {
    return { apiKey: sessionStorage.getItem(STORED_KEY), problem: messages.signIn.noAnswer }
  }
}

export function keepKey(apiKey: string): void {
  sessionStorage.setItem(STORED_KEY, apiKey)
}

export function forgetKey(): void {
  sessionStorage.removeItem(STORED_KEY)
}
