import { messages } from '../base/messages.ts'

/** GraphiQL reads and writes the same entry in the same format, so a sign-in applies to both. */
const STORED_KEY = 'tabwire.apiKey'

/** The lifetime of a key from the printed link. A pasted key may be valid forever, and must not be kept that long. */
const KEPT_MS = 12 * 60 * 60 * 1000

export interface SignInOutcome {
  apiKey: string | null
  /** Why there is no key; null if no sign-in was attempted. */
  problem: string | null
}

/**
 * The API key of this browser, for all of its tabs: from the code in the link that the server prints, or the stored
 * one. The code is removed from the URL before anything can fail: otherwise it ends up in browser histories.
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

/** For all tabs, unless another key has been stored in the meantime. */
export function forgetKey(apiKey: string): void {
  if (storedKey() === apiKey) localStorage.removeItem(STORED_KEY)
}

/** Calls back when another tab signs in or out; returns the unsubscriber. */
export function onSignIn(listener: (apiKey: string | null) => void): () => void {
  const handle = ({ key }: StorageEvent) => {
    // Null if the storage was cleared.
    if (key === STORED_KEY || key === null) listener(storedKey())
  }
  addEventListener('storage', handle)
  return () => removeEventListener('storage', handle)
}

/** Expired and invalid entries are removed. */
function storedKey(): string | null {
  const stored = localStorage.getItem(STORED_KEY)
  if (stored === null) return null
  const left = (entry: { keptUntil?: unknown }) => Number(entry.keptUntil) - Date.now()
  try {
    const entry = JSON.parse(stored) as { apiKey?: unknown; keptUntil?: unknown }
    // A clock that was set back must not extend it.
    if (typeof entry.apiKey === 'string' && left(entry) > 0 && left(entry) <= KEPT_MS) return entry.apiKey
  } catch {
    // Written by something else on this origin.
  }
  localStorage.removeItem(STORED_KEY)
  return null
}
