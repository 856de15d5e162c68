import { useMemo, useState } from 'react'
import { dateTime, duration, time } from '../base/format.ts'
import { DataGrid, type Column } from '../parts/data-grid.tsx'
import { DetailsPane, Facts } from '../parts/details-pane.tsx'
import { WebSocketMessages } from './web-socket-messages.tsx'
import { LogEmpty } from '../log/log-empty.tsx'
import { LogPanel } from '../log/log-panel.tsx'
import { SearchField } from '../parts/search-field.tsx'
import type { SessionLogs, TimelineEntry } from '../log/session-logs.ts'
import { durationOf, isTrouble, kindOf, lineOf } from './timeline-messages.ts'
import { messages } from '../base/messages.ts'
import { useLog, useMatching } from '../log/use-log.ts'

const { timeline } = messages

const COLUMNS: readonly Column<TimelineEntry>[] = [
  { key: 'time', label: timeline.columns.time, render: ({ at }) => time(at) },
  {
    key: 'kind',
    label: timeline.columns.kind,
    render: (entry) => (
      <span className="timeline-kind" data-kind={entry.__typename}>
        {kindOf(entry)}
        {entry.__typename === 'Action' && entry.origin !== 'API' && (
          <span className="tag">{timeline.origins[entry.origin] ?? entry.origin}</span>
        )}
      </span>
    ),
  },
  { key: 'text', label: timeline.columns.text, render: lineOf },
  {
    key: 'took',
    label: timeline.columns.duration,
    align: 'end',
    render: (entry) => {
      const ms = durationOf(entry)
      return ms === null ? '' : duration(ms)
    },
  },
]

/** Actions and their consequences on one timeline. */
export function TimelinePanel({ logs }: { logs: SessionLogs }) {
  const store = useLog(logs.timeline)
  const [search, setSearch] = useState('')
  const [actionsOnly, setActionsOnly] = useState(false)
  const [selected, setSelected] = useState<TimelineEntry | null>(null)
  const matches = useMemo(() => matcher(search, actionsOnly), [search, actionsOnly])
  const rows = useMatching(store.entries, matches)
  return (
    <LogPanel
      feed={logs.timeline}
      store={store}
      shown={rows.length}
      filters={
        <>
          <SearchField label={timeline.search} value={search} onChange={setSearch} />
          <label className="check">
            <input type="checkbox" checked={actionsOnly} onChange={(event) => setActionsOnly(event.target.checked)} />
            {timeline.actionsOnly}
          </label>
        </>
      }
      grid={
        <DataGrid
          label={timeline.label}
          className="grid-timeline"
          columns={COLUMNS}
          rows={rows}
          rowsOf={matches}
          contextOf={() => null}
          tone={(entry) => (isTrouble(entry) ? 'ERROR' : entry.__typename === 'EntriesDropped' ? 'WARNING' : undefined)}
          selected={selected}
          onSelect={setSelected}
          empty={
            <LogEmpty
              store={store}
              isFiltered={matches !== null}
              onClear={() => {
                setSearch('')
                setActionsOnly(false)
              }}
            >
              {timeline.empty}
            </LogEmpty>
          }
        />
      }
      details={
        selected && (
          <Entry session={logs.timeline.variables.session} entry={selected} onClose={() => setSelected(null)} />
        )
      }
    />
  )
}

function matcher(search: string, actionsOnly: boolean): ((entry: TimelineEntry) => boolean) | null {
  const wanted = search.trim().toLowerCase()
  if (wanted === '' && !actionsOnly) return null
  return (entry) =>
    (!actionsOnly || entry.__typename === 'Action') &&
    (wanted === '' || `${kindOf(entry)} ${lineOf(entry)}`.toLowerCase().includes(wanted))
}

/** Members of an entry that are shown above the others, or not meant for display. */
const SHOWN_ABOVE = ['__typename', 'id', 'sequence', 'at', 'durationMs']

function Entry(props: { session: string; entry: TimelineEntry; onClose: () => void }) {
  const { session, entry, onClose } = props
  const ms = durationOf(entry)
  const details = Object.fromEntries(Object.entries(entry).filter(([name]) => !SHOWN_ABOVE.includes(name)))
  return (
    <DetailsPane label={timeline.entry} onClose={onClose}>
      <p className="text">{lineOf(entry)}</p>
      <Facts
        facts={[
          [timeline.columns.kind, kindOf(entry)],
          [timeline.columns.time, dateTime(entry.at)],
          [timeline.columns.duration, ms === null ? null : duration(ms)],
        ]}
      />
      <h3>{timeline.details}</h3>
      <pre className="text">{JSON.stringify(details, null, 2)}</pre>
      {(entry.__typename === 'WebSocketOpened' || entry.__typename === 'WebSocketClosed') && (
        <WebSocketMessages key={entry.webSocketId} session={session} webSocketId={entry.webSocketId} />
      )}
    </DetailsPane>
  )
}
