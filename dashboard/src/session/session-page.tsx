import { Tabs } from '@base-ui/react/tabs'
import { useEffect, useMemo, useState } from 'react'
import { useSubscription } from 'urql'
import type { Api } from '../api/api.ts'
import { count } from '../base/format.ts'
import { WatchSession } from '../api/operations.ts'
import { Age } from '../parts/age.tsx'
import { CopyButton } from '../parts/copy-button.tsx'
import { Problem } from '../parts/problem.tsx'
import { isLive, StatusBadge } from '../parts/status-badge.tsx'
import { TerminateButton } from '../sessions/terminate-button.tsx'
import { codeOf, sentenceFor } from '../api/errors.ts'
import type { LiveSession } from '../api/live-session.ts'
import { go, hrefOf, linkTo, PANELS, type Panel } from '../base/route.ts'
import { SessionLogs } from '../log/session-logs.ts'
import { messages } from '../base/messages.ts'
import { ArtifactsPanel } from './artifacts-panel.tsx'
import { Connect } from './connect.tsx'
import { ConsolePanel } from '../console/console-panel.tsx'
import { DetailsPanel } from './details-panel.tsx'
import { ExportLog } from './export-log.tsx'
import { LiveView } from '../live-view/live-view.tsx'
import { NetworkPanel } from '../network/network-panel.tsx'
import { shortId } from '../sessions/session-table.tsx'
import { TimelinePanel } from '../timeline/timeline-panel.tsx'

const LIVE_VIEW = 'tabwire.liveView'

/** One session; remounted for each, so that no state of one carries over to another. */
export function SessionPage({ api, id, panel }: { api: Api; id: string; panel: Panel }) {
  const [{ data, error }, restart] = useSubscription({ query: WatchSession, variables: { id } })
  const logs = useMemo(() => new SessionLogs(api, id), [api, id])
  useEffect(() => () => logs.stop(), [logs])
  const session = data?.sessionChanged
  const liveView = useLiveView()
  // Visited panels keep their filters and scroll position.
  const [visited, setVisited] = useState<ReadonlySet<Panel>>(new Set([panel]))
  if (!visited.has(panel)) setVisited(new Set([...visited, panel]))

  if (error && !session) {
    const isMissing = codeOf(error) === 'NOT_FOUND'
    return (
      <main id="content" className="page">
        <Problem onRetry={isMissing ? undefined : () => restart()}>
          {isMissing ? `${messages.session.missing} ${messages.session.missingHint}` : sentenceFor(error)}
        </Problem>
        <a className="button" {...linkTo(hrefOf({ session: null }))}>
          {messages.session.back}
        </a>
      </main>
    )
  }
  return (
    <main id="content" className="page session">
      <Heading id={id} session={session} liveView={liveView} />
      <div className="session-body">
        {session?.status === 'RUNNING' && liveView.isShown && <LiveView api={api} session={session} />}
        <Tabs.Root
          className="tabs"
          value={panel}
          onValueChange={(value) => go(hrefOf({ session: id, panel: value as Panel }))}
        >
          <Tabs.List className="tab-list" aria-label={messages.session.panelList}>
            {PANELS.map((name) => (
              <Tabs.Tab key={name} value={name} className="tab">
                {messages.session.panels[name]}
                <span className="tab-count">{session ? countFor(session, name) : ''}</span>
                {session && (name === 'console' || name === 'network') && <ErrorCount session={session} panel={name} />}
              </Tabs.Tab>
            ))}
          </Tabs.List>
          <Tabs.Panel value="console" className="tab-panel" keepMounted={visited.has('console')}>
            <ConsolePanel logs={logs} />
          </Tabs.Panel>
          <Tabs.Panel value="network" className="tab-panel" keepMounted={visited.has('network')}>
            <NetworkPanel logs={logs} session={session} />
          </Tabs.Panel>
          <Tabs.Panel value="timeline" className="tab-panel" keepMounted={visited.has('timeline')}>
            <TimelinePanel logs={logs} />
          </Tabs.Panel>
          <Tabs.Panel value="artifacts" className="tab-panel" keepMounted={visited.has('artifacts')}>
            <ArtifactsPanel logs={logs} id={id} />
          </Tabs.Panel>
          <Tabs.Panel value="details" className="tab-panel" keepMounted={visited.has('details')}>
            {session && <DetailsPanel session={session} />}
          </Tabs.Panel>
        </Tabs.Root>
      </div>
    </main>
  )
}

/** Whether the live view is shown: the last choice, initially whether there is room for it. */
function useLiveView() {
  const [isShown, setIsShown] = useState(() => {
    const chosen = localStorage.getItem(LIVE_VIEW)
    return chosen === null ? matchMedia('(min-width: 1100px)').matches : chosen === 'shown'
  })
  const toggle = () => {
    localStorage.setItem(LIVE_VIEW, isShown ? 'hidden' : 'shown')
    setIsShown(!isShown)
  }
  return { isShown, toggle }
}

function Heading(props: { id: string; session: LiveSession | undefined; liveView: ReturnType<typeof useLiveView> }) {
  const { id, session, liveView } = props
  const name = session?.name ?? shortId(id)
  const navigation = session?.lastNavigationError
  return (
    <div className="session-head">
      <div className="bar page-bar">
        <a className="back" {...linkTo(hrefOf({ session: null }))} aria-label={messages.session.back}>
          <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
            <path d="M10 3 5 8l5 5" />
          </svg>
        </a>
        <h1>{name}</h1>
        {session && <StatusBadge status={session.status} endReason={session.endReason} />}
        {session && (
          <span className="faint">
            <Age since={session.createdAt} until={session.endedAt} />
          </span>
        )}
        <span className="bar-gap" />
        <CopyButton label={messages.session.copyId} text={() => id}>
          {messages.session.id}
        </CopyButton>
        {session?.status === 'RUNNING' && (
          <button type="button" className="button" aria-pressed={liveView.isShown} onClick={liveView.toggle}>
            {liveView.isShown ? messages.live.hide : messages.live.show}
          </button>
        )}
        {session && <ExportLog id={id} />}
        {session?.status === 'RUNNING' && <Connect id={id} />}
        {session && isLive(session.status) && <TerminateButton id={id} name={name} />}
      </div>
      <p className="session-where">
        {session?.title && <span className="sessions-title">{session.title}</span>}
        <span className="faint">{session ? (session.currentUrl ?? messages.list.noPage) : messages.loading}</span>
      </p>
      {session?.error && <Problem>{session.error}</Problem>}
      {navigation && navigation.message !== session.error && (
        <Problem>{messages.session.navigationFailed(navigation.url, navigation.message)}</Problem>
      )}
    </div>
  )
}

/** Number of errors in a log. Nothing if there are none. */
function ErrorCount({ session, panel }: { session: LiveSession; panel: 'console' | 'network' }) {
  const errors = panel === 'console' ? session.consoleErrorCount : session.failedRequestCount
  if (errors === 0) return null
  return <span className="tab-errors">{messages.session.errors[panel](count(errors), errors)}</span>
}

function countFor(session: LiveSession, panel: Panel): string {
  const counts: Partial<Record<Panel, number>> = {
    console: session.consoleMessageCount,
    network: session.networkRequestCount,
  }
  const value = counts[panel]
  return value === undefined ? '' : count(value)
}
