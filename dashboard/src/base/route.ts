import { useSyncExternalStore, type MouseEvent } from 'react'

export const PANELS = ['console', 'network', 'timeline', 'artifacts', 'details'] as const
export type Panel = (typeof PANELS)[number]

/** Earlier names of panels, in links that people have kept. */
const EARLIER_NAMES: ReadonlyMap<string | null, string> = new Map([['story', 'timeline']])

/**
 * The current location: the list, or a panel of a session. It is stored in the query, so that a proxy may add a path
 * prefix.
 */
export interface Route {
  readonly session: string | null
  readonly panel: Panel
}

const MOVED = 'tabwire:moved'

function subscribe(listener: () => void): () => void {
  addEventListener('popstate', listener)
  addEventListener(MOVED, listener)
  return () => {
    removeEventListener('popstate', listener)
    removeEventListener(MOVED, listener)
  }
}

export function useRoute(): Route {
  const search = useSyncExternalStore(subscribe, () => location.search)
  const query = new URLSearchParams(search)
  const wanted = query.get('panel')
  const panel = PANELS.find((name) => name === (EARLIER_NAMES.get(wanted) ?? wanted)) ?? 'console'
  return { session: query.get('session'), panel }
}

export function hrefOf({ session, panel = 'console' }: { session: string | null; panel?: Panel }): string {
  if (session === null) return '../'
  return `?${new URLSearchParams({ session, ...(panel === 'console' ? {} : { panel }) }).toString()}`
}

export function go(href: string): void {
  history.pushState(null, '', href === '../' ? location.pathname : href)
  dispatchEvent(new Event(MOVED))
}

/** Props of a link within the page; with a modifier key it behaves like any other link. */
export function linkTo(href: string): { href: string; onClick: (event: MouseEvent) => void } {
  return {
    href,
    onClick: (event) => {
      if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
      event.preventDefault()
      go(href)
    },
  }
}
