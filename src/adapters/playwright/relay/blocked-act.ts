import type { NavigationGuard } from '../network/navigation-guard.ts'
import type { CommandParams } from './command-policy.ts'
import type { Outcome } from './client-action-recorder.ts'

interface Command {
  method: string
  params: CommandParams
}

export type HeededGuard = Pick<NavigationGuard, 'count' | 'hasLostSince' | 'refusedSince' | 'refusedOpening'>

/**
 * An act that leads its page to where none may go is told as refused, whatever the browser answers, and one that failed
 * behind a proxy with the reason that the proxy knows.
 */
export function heedGuard(
  outcome: Outcome | null,
  guard: HeededGuard,
  pageId: string | null,
  command: Command,
): Outcome | null {
  if (!outcome) return outcome
  const opensPage = loadsPage(command)
  const { count } = guard
  let isSettled = false
  const once = (settle: () => void) => {
    if (!isSettled) settle()
    isSettled = true
  }
  return {
    answered: (message, openedTargetId = null) => {
      if (opensPage && message === null && openedTargetId !== null) {
        // The browser answers before it has asked for what the page is to show. A failure of that is none of the opening.
        const reported = guard.refusedOpening(openedTargetId, count).then((blocked) => {
          once(() => (blocked === null ? outcome.answered(null) : outcome.refused(blocked)))
        })
        return void reported
      }
      if (!guard.hasLostSince(pageId, count)) return once(() => outcome.answered(message))
      const reported = guard.refusedSince(pageId, count).then(({ blocked, netError }) => {
        once(() => (blocked === null ? outcome.answered(netError ?? message) : outcome.refused(blocked)))
      })
      // It never rejects; whatever the session does with the entry has an owner of its own.
      void reported
    },
    refused: (message) => once(() => outcome.refused(message)),
    pageClosed: () => once(() => outcome.pageClosed()),
    disconnected: () => once(() => outcome.disconnected()),
  }
}

/** Whether it opens a page with a document that comes from somewhere. */
function loadsPage({ method, params }: Command): boolean {
  const given = method === 'Target.createTarget' ? params['url'] : null
  const url = typeof given === 'string' ? URL.parse(given) : null
  return url !== null && /^(?:https?|view-source):$/.test(url.protocol)
}
