import { useEffect } from 'react'
import { useQuery } from 'urql'
import { count, dateTime, duration, span } from '../base/format.ts'
import { SessionNow, WatchSession } from '../api/operations.ts'
import { Age } from '../parts/age.tsx'
import { Facts } from '../parts/details-pane.tsx'
import { OperationCopy } from '../parts/operation-copy.tsx'
import { Problem } from '../parts/problem.tsx'
import { isLive, StatusBadge } from '../parts/status-badge.tsx'
import { sentenceFor } from '../api/errors.ts'
import { messages } from '../base/messages.ts'
import type { LiveSession } from '../api/live-session.ts'

const { details } = messages
const REFETCH_EVERY_MS = 5_000

/** Status, health, times and options of a session. */
export function DetailsPanel({ session }: { session: LiveSession }) {
  return (
    <div className="panel">
      <div className="bar">
        <span className="bar-gap" />
        <OperationCopy document={WatchSession as never} variables={{ id: session.id }} />
      </div>
      {/* Scrollable, so it must be focusable by keyboard. */}
      <div className="detail-cards" tabIndex={0} role="group" aria-label={messages.session.panels.details}>
        <Health session={session} />
        <Times session={session} />
        <Options session={session} />
        <Counts session={session} />
      </div>
    </div>
  )
}

function Health({ session: { id, status } }: { session: LiveSession }) {
  const [{ data, error }, refetch] = useQuery({ query: SessionNow, variables: { id } })
  const live = isLive(status)
  useEffect(() => {
    refetch()
    if (!live) return undefined
    const timer = setInterval(() => refetch(), REFETCH_EVERY_MS)
    return () => clearInterval(timer)
  }, [refetch, live])
  const session = data?.session
  const health = session?.health ?? null
  return (
    <section className="card" aria-labelledby="health">
      <h2 id="health">{details.health}</h2>
      {error && <Problem onRetry={() => refetch()}>{sentenceFor(error)}</Problem>}
      {session && (
        <>
          <Facts
            facts={[
              [
                details.health,
                <span key="health" className="health" data-health={health?.status ?? 'UNRESPONSIVE'}>
                  {health ? details.healths[health.status] : details.noAnswer}
                </span>,
              ],
              [details.latency, health?.latencyMs == null ? null : duration(health.latencyMs)],
              [details.uptime, health && span(health.uptimeMs)],
            ]}
          />
          <h3>{details.pages}</h3>
          {session.pages?.length === 0 && <p className="faint">{details.noPages}</p>}
          <ul className="pages">
            {session.pages?.map((page) => (
              <li key={page.id}>
                {page.title && <span>{page.title} </span>}
                <span className="faint">{page.url}</span>
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  )
}

function Times({ session }: { session: LiveSession }) {
  const { createdAt, startedAt, endedAt, lastActivityAt, expiresAt } = session
  return (
    <section className="card" aria-labelledby="times">
      <h2 id="times">{details.times}</h2>
      <Facts
        facts={[
          [details.created, dateTime(createdAt)],
          [details.startedIn, startedAt && duration(Date.parse(startedAt) - Date.parse(createdAt))],
          [details.lastActivity, dateTime(lastActivityAt)],
          [details.expires, expiresAt && dateTime(expiresAt)],
          [details.ended, endedAt && dateTime(endedAt)],
          [details.lasted, <Age key="age" since={startedAt ?? createdAt} until={endedAt} />],
          [details.idle, session.keepAlive ? details.keptAlive : span(session.idleTimeoutSeconds * 1_000)],
          [details.longest, span(session.maxDurationSeconds * 1_000)],
        ]}
      />
    </section>
  )
}

function Options({ session }: { session: LiveSession }) {
  const { width, height } = session.viewport
  const metadata = JSON.stringify(session.metadata, null, 2)
  return (
    <section className="card" aria-labelledby="options">
      <h2 id="options">{details.session}</h2>
      <Facts
        facts={[
          [details.id, <code key="id">{session.id}</code>],
          [details.name, session.name],
          [details.status, <StatusBadge key="status" status={session.status} endReason={session.endReason} />],
          [details.error, session.error],
          [details.browser, session.browser.toLowerCase()],
          [details.viewport, `${width} × ${height}`],
          [details.userAgent, session.userAgent ?? details.ownDefault],
          [details.locale, session.locale ?? details.ownDefault],
          [details.timezone, session.timezone ?? details.ownDefault],
          [details.profile, session.profile?.name],
          [details.metadata, metadata === '{}' ? null : <pre key="metadata">{metadata}</pre>],
        ]}
      />
    </section>
  )
}

function Counts({ session }: { session: LiveSession }) {
  const { inputTokens, outputTokens, usd } = session.cost
  const usesModel = inputTokens + outputTokens > 0
  return (
    <section className="card" aria-labelledby="counts">
      <h2 id="counts">{details.counts}</h2>
      <Facts
        facts={[
          [details.navigations, count(session.navigationCount)],
          [details.lines, count(session.consoleMessageCount)],
          [details.requests, count(session.networkRequestCount)],
          [details.pending, count(session.pendingRequestCount)],
          [details.actions, count(session.actionCount)],
          [details.screenshots, count(session.screenshotCount)],
          [details.tokens, usesModel ? `${count(inputTokens)} / ${count(outputTokens)}` : null],
          [details.usd, usesModel && usd !== null ? `$${usd.toFixed(4)}` : null],
        ]}
      />
    </section>
  )
}
