import { messages } from './messages.ts'

/** GraphiQL reads and writes the same entry in the same form: whoever is signed in here is signed in there. */
const STORED_KEY = 'tabwire.apiKey'

/** As long as a key of the printed link is valid. One that was pasted may be valid forever, and must not stay that long. */
const KEPT_MS = 12 * 60 * 60 * 1000

export interface SignInOutcome {
  apiKey: string | null
  /** Why there is no key; null when nobody tried. */
  problem: string | null
}

/**
 * The key of this browser, for all of its tabs: from the code in the link that the server prints, or the one that is stored.
 * The code is taken out of the address before anything can fail: what stays there ends up in histories.
 */
export async function signIn(): Promise<SignInOutcome> {
  const code = new URLSearchParams(location.hash.slice(1)).get('code')
  if (code === null) return { apiKey: storedKey(), problem: null }
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
    return { apiKey: storedKey(), problem: answer.error?.message ?? messages.signIn.failed }
  } catch {
    return { apiKey: storedKey(), problem: messages.signIn.noAnswer }
  }
}

export function keepKey(apiKey: string): void {
  localStorage.setItem(STORED_KEY, JSON.stringify({ apiKey, keptUntil: Date.now() + KEPT_MS }))
}

/** For all tabs, unless another key has been stored meanwhile. */
export function forgetKey(apiKey: string): void {
  if (storedKey() === apiKey) localStorage.removeItem(STORED_KEY)
}

/** Calls back when another tab signs in or out; returns how to stop that. */
export function onSignIn(listener: (apiKey: string | null) => void): () => void {
  const hear = ({ key }: StorageEvent) => {
    // Null: everything was removed.
    if (key === STORED_KEY || key === null) listener(storedKey())
  }
  addEventListener('storage', hear)
  return () => removeEventListener('storage', hear)
}

/** An entry that is too old, or no such entry, is removed. */
function storedKey(): string | null {
  const stored = localStorage.getItem(STORED_KEY)
  if (stored === null) return null
  const left = (entry: { keptUntil?: unknown }) => Number(entry.keptUntil) - Date.now()
  try {
    const entry = JSON.parse(stored) as { apiKey?: unknown; keptUntil?: unknown }
    // A clock that was set back must not make it last longer.
    if (typeof entry.apiKey === 'string' && left(entry) > 0 && left(entry) <= KEPT_MS) return entry.apiKey
  } catch {
    // Of whatever else uses this origin.
  }
  localStorage.removeItem(STORED_KEY)
  return null
}
