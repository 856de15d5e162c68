import type { NavigationGuard } from '../network/navigation-guard.ts'
import type { Outcome } from './client-acts.ts'

/**
 * An act that leads its page to where none may go is told as refused, whatever the browser answers, and one that failed
 * behind a proxy with the reason that the proxy knows.
 */
export function heedGuard(
  outcome: Outcome | null,
  guard: Pick<NavigationGuard, 'count' | 'hasLostSince' | 'refusedSince'>,
  pageId: string | null,
): Outcome | null {
  if (!outcome) return outcome
  const { count } = guard
  let isSettled = false
  const once = (settle: () => void) => {
    if (!isSettled) settle()
    isSettled = true
  }
  return {
    answered: (message) => {
      if (!guard.hasLostSince(pageId, count)) return once(() => outcome.answered(message))
      const told = guard.refusedSince(pageId, count).then(({ blocked, netError }) => {
        once(() => (blocked === null ? outcome.answered(netError ?? message) : outcome.refused(blocked)))
      })
      // It never rejects; whatever the session does with the entry has an owner of its own.
      void told
    },
    refused: (message) => once(() => outcome.refused(message)),
    pageClosed: () => once(() => outcome.pageClosed()),
    disconnected: () => once(() => outcome.disconnected()),
  }
}
