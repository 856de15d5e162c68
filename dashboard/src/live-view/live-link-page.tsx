import { useEffect, useMemo, useSyncExternalStore } from 'react'
import { Provider } from 'urql'
import { Api } from '../api/api.ts'
import type { LiveLink } from './live-link.ts'
import { Problem } from '../parts/problem.tsx'
import { messages } from '../base/messages.ts'
import { LiveView } from './live-view.tsx'

/** Only the live view of one session, for viewers without a key. */
export function LiveLinkPage({ link }: { link: LiveLink }) {
  const api = useMemo(() => new Api(link.token), [link.token])
  const state = useSyncExternalStore(api.subscribe, api.state)
  useEffect(() => () => api.close(), [api])
  return (
    <Provider value={api.client}>
      <header className="header">
        <span className="brand">{messages.name}</span>
        <span className="connection" data-state={state} role="status">
          {messages.connection[state]}
        </span>
      </header>
      <main id="content" className="live-link">
        <h1>{messages.live.label}</h1>
        {state === 'refused' ? (
          <Problem>{messages.live.linkOver}</Problem>
        ) : (
          <LiveView api={api} session={{ id: link.session }} alone canTakeOver={link.canTakeOver} />
        )}
      </main>
    </Provider>
  )
}
