import { Toggle } from '@base-ui/react/toggle'
import { ToggleGroup } from '@base-ui/react/toggle-group'
import { useMemo, useState } from 'react'
import { useQuery } from 'urql'
import { sentenceFor } from '../errors.ts'
import type { Json } from '../graphql.ts'
import { LineDetails } from '../log-operations.ts'
import { count, dateTime, fileOf, openable, time } from '../format.ts'
import { CopyButton } from '../parts/copy-button.tsx'
import { DataGrid, type Column } from '../parts/data-grid.tsx'
import { DetailsPane, Facts } from '../parts/details-pane.tsx'
import { LogEmpty } from '../parts/log-empty.tsx'
import { LogPanel } from '../parts/log-panel.tsx'
import { Problem } from '../parts/problem.tsx'
import { SearchField } from '../parts/search-field.tsx'
import { ValueTree } from '../parts/value-tree.tsx'
import type { ConsoleLine, SessionLogs } from '../session-logs.ts'
import { messages } from '../messages.ts'
import { useLog, useMatching } from '../use-log.ts'

const LEVELS = ['ERROR', 'WARNING', 'INFO', 'LOG', 'DEBUG'] as const
type Level = (typeof LEVELS)[number]

const COLUMNS: readonly Column<ConsoleLine>[] = [
  { key: 'time', label: messages.console.columns.time, render: ({ at }) => time(at) },
  { key: 'level', label: messages.console.columns.level, render: ({ level }) => messages.console.level[level] },
  {
    key: 'text',
    label: messages.console.columns.text,
    render: ({ source, text, groupDepth }) => (
      <>
        {groupDepth > 0 && <span className="indent" style={{ width: `${Math.min(groupDepth, 10)}rem` }} />}
        {source !== 'CONSOLE' && <span className="tag">{messages.console.sources[source]}</span>}
        {text}
      </>
    ),
  },
  { key: 'source', label: messages.console.columns.source, render: (line) => <SourceLink line={line} full={false} /> },
]

export function ConsolePanel({ logs }: { logs: SessionLogs }) {
  const store = useLog(logs.console)
  const [levels, setLevels] = useState<readonly Level[]>([])
  const [search, setSearch] = useState('')
  const [selected, setSelected] = useState<ConsoleLine | null>(null)
  const matches = useMemo(() => matcher(levels, search), [levels, search])
  const rows = useMatching(store.entries, matches)
  const clear = () => {
    setLevels([])
    setSearch('')
  }
  return (
    <LogPanel
      feed={logs.console}
      store={store}
      shown={rows.length}
      filters={
        <>
          <ToggleGroup
            multiple
            className="toggles"
            aria-label={messages.console.columns.level}
            value={levels}
            onValueChange={(value) => setLevels(value)}
          >
            {LEVELS.map((level) => (
              <Toggle key={level} value={level} className="toggle" data-tone={level}>
                {messages.console.levels[level]}
              </Toggle>
            ))}
          </ToggleGroup>
          <SearchField label={messages.console.search} value={search} onChange={setSearch} />
        </>
      }
      grid={
        <DataGrid
          label={messages.console.label}
          className="grid-console"
          columns={COLUMNS}
          rows={rows}
          rowsOf={matches}
          contextOf={() => null}
          tone={({ level }) => level}
          selected={selected}
          onSelect={setSelected}
          empty={
            <LogEmpty store={store} isFiltered={matches !== null} onClear={clear}>
              {messages.console.empty}
            </LogEmpty>
          }
        />
      }
      details={selected && <Line line={selected} onClose={() => setSelected(null)} />}
    />
  )
}

/** Null if nothing is filtered. The search ignores case. */
function matcher(levels: readonly Level[], search: string): ((line: ConsoleLine) => boolean) | null {
  const wanted = search.trim().toLowerCase()
  if (levels.length === 0 && wanted === '') return null
  return ({ level, text, location }) =>
    (levels.length === 0 || levels.includes(level)) &&
    (wanted === '' || text.toLowerCase().includes(wanted) || (location?.url.toLowerCase().includes(wanted) ?? false))
}

function Line({ line, onClose }: { line: ConsoleLine; onClose: () => void }) {
  const whole =
    line.stack && !line.stack.startsWith(line.text) ? `${line.text}\n${line.stack}` : (line.stack ?? line.text)
  return (
    <DetailsPane
      label={messages.console.line}
      onClose={onClose}
      tools={<CopyButton label={messages.copy} text={() => whole} />}
    >
      <pre className="text" data-tone={line.level}>
        {line.text}
      </pre>
      {line.truncated > 0 && <p className="hint">{messages.console.truncated(count(line.truncated))}</p>}
      <Facts
        facts={[
          [messages.console.columns.time, dateTime(line.at)],
          [
            messages.console.columns.level,
            `${messages.console.level[line.level]}, ${messages.console.sources[line.source]}`,
          ],
          [messages.console.origin, line.location?.url && <SourceLink line={line} full />],
        ]}
      />
      <Arguments id={line.id} />
      {line.stack && (
        <>
          <h3>{messages.console.stack}</h3>
          <pre className="text">{line.stack}</pre>
        </>
      )}
    </DetailsPane>
  )
}

/** Logged arguments. The rows hold only text, so the values are fetched now. */
function Arguments({ id }: { id: string }) {
  const [{ data, error }, ask] = useQuery({ query: LineDetails, variables: { id } })
  if (error) return <Problem onRetry={() => ask()}>{sentenceFor(error)}</Problem>
  const values = data?.node && 'arguments' in data.node ? data.node.arguments : null
  if (!Array.isArray(values) || !values.some((value) => isOpenable(value))) return null
  return (
    <>
      <h3>{messages.console.arguments}</h3>
      <ValueTree values={values} />
    </>
  )
}

/** Whether a value has more to show than the message's text. */
const isOpenable = (value: Json) =>
  typeof value === 'object' && value !== null && ('properties' in value || 'entries' in value)

/** Link to the source of a message. */
function SourceLink({ line, full }: { line: ConsoleLine; full: boolean }) {
  if (!line.location) return null
  const { url, line: row, column } = line.location
  const place = [full ? url : fileOf(url, '/'), row, column].filter((part) => part !== null).join(':')
  const href = openable(url)
  if (!href) return <span title={url}>{place}</span>
  return (
    <a href={href} target="_blank" rel="noreferrer" title={url}>
      {place}
    </a>
  )
}
