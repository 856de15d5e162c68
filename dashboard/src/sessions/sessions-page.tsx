import { Toggle } from '@base-ui/react/toggle'
import { ToggleGroup } from '@base-ui/react/toggle-group'
import { useEffect, useState, useSyncExternalStore } from 'react'
import { LiveSessions } from '../api/operations.ts'
import { OperationCopy } from '../parts/operation-copy.tsx'
import { Problem } from '../parts/problem.tsx'
import { SearchField } from '../parts/search-field.tsx'
import { isLive } from '../parts/status-badge.tsx'
import type { SessionList, SessionSummary } from './session-list.ts'
import { messages } from '../base/messages.ts'
import { SessionTable } from './session-table.tsx'
import { StartDialog } from './start-dialog.tsx'

type Shown = keyof typeof messages.list.statuses
const SHOWN = Object.keys(messages.list.statuses) as Shown[]
/** Avoids a query per keystroke. */
const SEARCH_AFTER_MS = 300

export function SessionsPage({ list }: { list: SessionList }) {
  useSyncExternalStore(list.changes.subscribe, list.changes.version)
  const [shown, setShown] = useState<Shown>('ALL')
  const [search, setSearch] = useState('')
  useEffect(() => {
    const name = search.trim()
    if (name === '') return undefined
    const timer = setTimeout(() => void list.find(name), SEARCH_AFTER_MS)
    return () => clearTimeout(timer)
  }, [list, search])

  const all = list.sessions()
  const found = all.filter((session) => matches(session, search))
  const live = found.filter(({ status }) => isLive(status))
  const ended = found.filter(({ status }) => !isLive(status))
  const hidesAll = all.length > 0 && found.length === 0
  return (
    <main id="content" className="page">
      <div className="bar page-bar">
        <h1>{messages.list.title}</h1>
        <ToggleGroup
          className="toggles"
          aria-label={messages.list.filterStatus}
          value={[shown]}
          onValueChange={([value]) => setShown(value ?? 'ALL')}
        >
          {SHOWN.map((one) => (
            <Toggle key={one} value={one} className="toggle">
              {messages.list.statuses[one]}
            </Toggle>
          ))}
        </ToggleGroup>
        <SearchField label={messages.list.filterName} value={search} onChange={setSearch} />
        <span className="bar-gap" />
        <OperationCopy document={LiveSessions as never} variables={{}} />
        <StartDialog />
      </div>
      {list.problem && <Problem onRetry={() => location.reload()}>{list.problem}</Problem>}
      {hidesAll && (
        <div className="blank">
          <p>{messages.list.noMatch}</p>
          <button type="button" className="button" onClick={() => setSearch('')}>
            {messages.list.clearFilter}
          </button>
        </div>
      )}
      {shown !== 'ENDED' && !hidesAll && (
        <section aria-labelledby="live">
          <h2 id="live">
            {messages.list.live} <span className="faint">{list.loaded ? live.length : ''}</span>
          </h2>
          {live.length > 0 ? (
            <SessionTable label={messages.list.live} sessions={live} />
          ) : (
            <div className="blank">
              <p>{list.loaded ? messages.list.noneLive : messages.loading}</p>
              {list.loaded && <p className="faint">{messages.list.noneLiveHint}</p>}
            </div>
          )}
        </section>
      )}
      {shown !== 'LIVE' && !hidesAll && (
        <section aria-labelledby="ended">
          <h2 id="ended">
            {messages.list.ended} <span className="faint">{messages.list.shown(ended.length)}</span>
          </h2>
          {ended.length > 0 && <SessionTable label={messages.list.ended} sessions={ended} />}
          {ended.length === 0 && (
            <div className="blank">
              <p>{list.loading ? messages.loading : messages.list.noneEnded}</p>
            </div>
          )}
          {list.hasMore && ended.length > 0 && (
            <button type="button" className="button more" disabled={list.loading} onClick={() => void list.loadMore()}>
              {list.loading ? messages.list.loadingMore : messages.list.more}
            </button>
          )}
        </section>
      )}
    </main>
  )
}

function matches({ name, currentUrl, title, id }: SessionSummary, search: string): boolean {
  const wanted = search.trim().toLowerCase()
  return wanted === '' || [name, currentUrl, title, id].some((text) => text?.toLowerCase().includes(wanted))
}
