import { useMemo, useState } from 'react'
import { bytes, duration, fileOf, time } from '../base/format.ts'
import { DataGrid, type Column } from '../parts/data-grid.tsx'
import { LogEmpty } from '../log/log-empty.tsx'
import { LogPanel } from '../log/log-panel.tsx'
import { SearchField } from '../parts/search-field.tsx'
import type { Request, SessionLogs } from '../log/session-logs.ts'
import { messages } from '../base/messages.ts'
import { useLog, useMatching } from '../log/use-log.ts'
import { PendingRequests } from './pending-requests.tsx'
import { RequestPane } from './request-pane.tsx'
import type { LiveSession } from '../api/live-session.ts'

/** Time spanned by the visible requests, in milliseconds. */
interface Span {
  readonly from: number
  readonly length: number
}

const { columns, outcomes } = messages.network
const TYPES = [
  'DOCUMENT',
  'SCRIPT',
  'STYLESHEET',
  'IMAGE',
  'FONT',
  'MEDIA',
  'FETCH',
  'XHR',
  'EVENT_SOURCE',
  'WEB_SOCKET',
  'PING',
  'MANIFEST',
  'TEXT_TRACK',
  'OTHER',
] as const
type ResourceType = (typeof TYPES)[number]

const COLUMNS: readonly Column<Request, Span>[] = [
  { key: 'method', label: columns.method, render: ({ method }) => method },
  {
    key: 'code',
    label: columns.status,
    render: ({ status, outcome }) => [status, outcomes[outcome]].filter(Boolean).join(' '),
  },
  {
    key: 'name',
    label: columns.name,
    render: ({ url, failure }) => (
      <span title={url}>
        {fileOf(url)}
        {failure !== null && <span className="faint"> {failure}</span>}
      </span>
    ),
  },
  { key: 'type', label: columns.type, render: ({ resourceType }) => resourceType.toLowerCase() },
  {
    key: 'size',
    label: columns.size,
    align: 'end',
    render: ({ responseBytes, fromCache }) => {
      if (fromCache) return messages.network.cached
      return responseBytes === null ? messages.none : bytes(responseBytes)
    },
  },
  { key: 'took', label: columns.duration, align: 'end', render: ({ durationMs }) => duration(durationMs) },
  { key: 'waterfall', label: columns.waterfall, render: (request, span) => <Bar request={request} span={span} /> },
]

/** Same as the API's filter `failedOnly`. */
const isFailed = ({ status, failure, outcome }: Pick<Request, 'status' | 'failure' | 'outcome'>): boolean =>
  (failure !== null && outcome !== 'CUT_BY_END') || (status !== null && status >= 400)

function toneOf(request: Request): string | undefined {
  const { outcome, status } = request
  if (outcome === 'FAILED' || outcome === 'BLOCKED' || (status !== null && status >= 400)) return 'ERROR'
  if (outcome === 'CANCELED') return 'WARNING'
  return outcome === 'COMPLETED' ? undefined : 'DEBUG'
}

export function NetworkPanel({ logs, session }: { logs: SessionLogs; session: LiveSession | undefined }) {
  const store = useLog(logs.network)
  const [search, setSearch] = useState('')
  const [type, setType] = useState<ResourceType | null>(null)
  const [failedOnly, setFailedOnly] = useState(false)
  const [selected, setSelected] = useState<Request | null>(null)
  const matches = useMemo(() => matcher(search, type, failedOnly), [search, type, failedOnly])
  const rows = useMatching(store.entries, matches)
  const clear = () => {
    setSearch('')
    setType(null)
    setFailedOnly(false)
  }
  return (
    <LogPanel
      feed={logs.network}
      store={store}
      shown={rows.length}
      filters={
        <>
          <SearchField label={messages.network.search} value={search} onChange={setSearch} />
          <select
            className="field"
            aria-label={messages.network.type}
            value={type ?? ''}
            onChange={(event) => setType(TYPES.find((one) => one === event.target.value) ?? null)}
          >
            <option value="">{messages.network.allTypes}</option>
            {TYPES.map((one) => (
              <option key={one} value={one}>
                {one.toLowerCase()}
              </option>
            ))}
          </select>
          <label className="check">
            <input type="checkbox" checked={failedOnly} onChange={(event) => setFailedOnly(event.target.checked)} />
            {messages.network.failedOnly}
          </label>
          {session && <PendingRequests count={session.pendingRequestCount} requests={session.pendingRequests} />}
        </>
      }
      grid={
        <DataGrid
          label={messages.network.label}
          className="grid-network"
          columns={COLUMNS}
          rows={rows}
          rowsOf={matches}
          contextOf={spanOf}
          tone={toneOf}
          selected={selected}
          onSelect={setSelected}
          empty={
            <LogEmpty store={store} isFiltered={matches !== null} onClear={clear}>
              {messages.network.empty}
            </LogEmpty>
          }
        />
      }
      details={
        selected && (
          <RequestPane
            session={logs.network.variables.session}
            key={selected.id}
            id={selected.id}
            onClose={() => setSelected(null)}
          />
        )
      }
    />
  )
}

function matcher(
  search: string,
  type: ResourceType | null,
  failedOnly: boolean,
): ((request: Request) => boolean) | null {
  const wanted = search.trim().toLowerCase()
  if (wanted === '' && type === null && !failedOnly) return null
  return (request) =>
    (type === null || request.resourceType === type) &&
    (!failedOnly || isFailed(request)) &&
    request.url.toLowerCase().includes(wanted)
}

function spanOf(requests: readonly Request[]): Span {
  let from = Number.POSITIVE_INFINITY
  let to = Number.NEGATIVE_INFINITY
  for (const { startedAt, durationMs } of requests) {
    const start = Date.parse(startedAt)
    from = Math.min(from, start)
    to = Math.max(to, start + durationMs)
  }
  return { from, length: Math.max(1, to - from) }
}

/** Start and duration of a request, relative to the visible ones. */
function Bar({ request, span }: { request: Request; span: Span }) {
  const start = ((Date.parse(request.startedAt) - span.from) / span.length) * 100
  const width = (request.durationMs / span.length) * 100
  return (
    <span className="bar-track" title={`${time(request.startedAt)} + ${duration(request.durationMs)}`}>
      <span className="bar-time" style={{ left: `${start}%`, width: `max(2px, ${width}%)` }} />
    </span>
  )
}
