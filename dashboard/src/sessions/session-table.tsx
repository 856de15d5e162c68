import { memo } from 'react'
import { count } from '../base/format.ts'
import { Age } from '../parts/age.tsx'
import { ErrorBadge } from '../parts/error-badge.tsx'
import { isLive, StatusBadge } from '../parts/status-badge.tsx'
import { TerminateButton } from './terminate-button.tsx'
import { hrefOf, linkTo } from '../base/route.ts'
import type { SessionSummary } from './session-list.ts'
import { messages } from '../base/messages.ts'

const { columns } = messages.list

export function SessionTable(props: { label: string; sessions: readonly SessionSummary[] }) {
  return (
    <table className="sessions" aria-label={props.label}>
      <thead>
        <tr>
          <th scope="col" className="sessions-status">
            {columns.status}
          </th>
          <th scope="col">{columns.name}</th>
          <th scope="col" className="sessions-page">
            {columns.page}
          </th>
          <th scope="col" className="number">
            {columns.age}
          </th>
          <th scope="col" className="number wide">
            {columns.console}
          </th>
          <th scope="col" className="number wide">
            {columns.requests}
          </th>
          <th scope="col" className="number wide">
            {columns.actions}
          </th>
          <th scope="col" className="sessions-act">
            <span className="visually-hidden">{columns.act}</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {props.sessions.map((session) => (
          <SessionTableRow key={session.id} session={session} />
        ))}
      </tbody>
    </table>
  )
}

/** Rendered again only when its own session has changed. */
const SessionTableRow = memo(function SessionTableRow({ session }: { session: SessionSummary }) {
  const { id, status } = session
  const name = session.name ?? shortId(id)
  return (
    <tr>
      <td className="sessions-status">
        <StatusBadge status={status} endReason={session.endReason} />
      </td>
      <td className="sessions-name">
        <a {...linkTo(hrefOf({ session: id }))} title={id}>
          {name}
        </a>
        <span className="narrow sessions-where">{session.title || session.currentUrl || messages.list.noPage}</span>
      </td>
      <td className="sessions-page">
        {session.currentUrl === null ? (
          <span className="faint">{messages.list.noPage}</span>
        ) : (
          <>
            {session.title && <span className="sessions-title">{session.title}</span>}
            <span className="faint" title={session.currentUrl}>
              {session.currentUrl}
            </span>
          </>
        )}
      </td>
      <td className="number">
        <Age since={session.createdAt} until={session.endedAt} />
      </td>
      <td className="number wide">
        <ErrorBadge label={messages.session.errors.console} value={session.consoleErrorCount} />
        {count(session.consoleMessageCount)}
      </td>
      <td
        className="number wide"
        title={session.pendingRequestCount > 0 ? messages.list.pending(session.pendingRequestCount) : undefined}
      >
        <ErrorBadge label={messages.session.errors.network} value={session.failedRequestCount} />
        {count(session.networkRequestCount)}
      </td>
      <td className="number wide">{count(session.actionCount)}</td>
      <td className="sessions-act">{isLive(status) && <TerminateButton id={id} name={name} />}</td>
    </tr>
  )
})

/** The end of an id identifies a session; its beginning is the same for all. */
export function shortId(id: string): string {
  return `…${id.replace(/=+$/, '').slice(-8)}`
}
