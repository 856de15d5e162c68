import { Toggle } from '@base-ui/react/toggle'
import { ToggleGroup } from '@base-ui/react/toggle-group'
import { useMemo, useState } from 'react'
import { useQuery } from 'urql'
import { rowWith, useConsoleRows, type ConsoleRow } from './console-rows.ts'
import { sentenceFor } from '../api/errors.ts'
import type { Json } from '../api/graphql.ts'
import { LineDetails } from '../api/log-operations.ts'
import { count, dateTime, fileOf, openable, time } from '../base/format.ts'
import { CopyButton } from '../parts/copy-button.tsx'
import { DataGrid, type Column } from '../parts/data-grid.tsx'
import { DetailsPane, Facts } from '../parts/details-pane.tsx'
import { LogEmpty } from '../log/log-empty.tsx'
import { LogPanel } from '../log/log-panel.tsx'
import { Problem } from '../parts/problem.tsx'
import { SearchField } from '../parts/search-field.tsx'
import { ValueTree } from '../parts/value-tree.tsx'
import type { ConsoleLine, SessionLogs } from '../log/session-logs.ts'
import { messages } from '../base/messages.ts'
import { useLog, useMatching } from '../log/use-log.ts'

const LEVELS = ['ERROR', 'WARNING', 'INFO', 'LOG', 'DEBUG'] as const
type Level = (typeof LEVELS)[number]

const COLUMNS: readonly Column<ConsoleRow>[] = [
  { key: 'time', label: messages.console.columns.time, render: ({ line }) => time(line.at) },
  { key: 'level', label: messages.console.columns.level, render: ({ line }) => messages.console.level[line.level] },
  {
    key: 'text',
    label: messages.console.columns.text,
    render: ({ line: { source, text, groupDepth }, count: equal, isOpen, repeatOf }) => (
      <>
        {groupDepth > 0 && <span className="indent" style={{ width: `${Math.min(groupDepth, 10)}rem` }} />}
        {equal > 1 && <Repeats equal={equal} isOpen={isOpen} />}
        {repeatOf !== null && <span className="repeat" />}
        {source !== 'CONSOLE' && <span className="tag">{messages.console.sources[source]}</span>}
        {text}
      </>
    ),
  },
  {
    key: 'source',
    label: messages.console.columns.source,
    render: ({ line }) => <SourceLink line={line} full={false} />,
  },
]

export function ConsolePanel({ logs }: { logs: SessionLogs }) {
  const store = useLog(logs.console)
  const [levels, setLevels] = useState<readonly Level[]>([])
  const [search, setSearch] = useState('')
  const [chosen, setChosen] = useState<ConsoleRow | null>(null)
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set())
  const matches = useMemo(() => matcher(levels, search), [levels, search])
  const lines = useMatching(store.entries, matches)
  const rows = useConsoleRows(lines, open)
  // Its count may have grown since it was selected.
  const selected = chosen && (rowWith(rows, chosen.sequence) ?? chosen)
  const clear = () => {
    setLevels([])
    setSearch('')
  }
  const toggle = (row: ConsoleRow, isOpen: boolean) => {
    const first = row.repeatOf ?? row.sequence
    const others = [...open].filter((sequence) => sequence !== first)
    setOpen(new Set(isOpen ? [...others, first] : others))
    // A closed row stands for its repeats.
    const parent = rowWith(rows, first)
    if (!isOpen && chosen?.repeatOf === first && parent) setChosen(parent)
  }
  return (
    <LogPanel
      feed={logs.console}
      store={store}
      shown={lines.length}
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
          rowsOf={rows}
          entryCount={lines.length}
          contextOf={() => null}
          tone={({ line }) => line.level}
          selected={selected}
          onSelect={setChosen}
          onOpen={toggle}
          empty={
            <LogEmpty store={store} isFiltered={matches !== null} onClear={clear}>
              {messages.console.empty}
            </LogEmpty>
          }
        />
      }
      details={selected && <Line row={selected} onClose={() => setChosen(null)} />}
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

function Repeats({ equal, isOpen }: { equal: number; isOpen: boolean }) {
  const { repeats } = messages.console
  return (
    <button type="button" className="repeats" aria-expanded={isOpen} title={isOpen ? repeats.hide : repeats.show}>
      {count(equal)}
      <span className="visually-hidden">{` ${repeats.times}`}</span>
    </button>
  )
}

function Line({ row: { line, last, count: equal }, onClose }: { row: ConsoleRow; onClose: () => void }) {
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
          [
            messages.console.repeats.label,
            equal > 1 ? messages.console.repeats.until(count(equal), dateTime(last.at)) : null,
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
  const [{ data, error }, refetch] = useQuery({ query: LineDetails, variables: { id } })
  if (error) return <Problem onRetry={() => refetch()}>{sentenceFor(error)}</Problem>
  const line = data?.node && 'arguments' in data.node ? data.node : null
  const values = line?.arguments
  if (!line || !Array.isArray(values) || !values.some((value) => isOpenable(value))) return null
  return (
    <>
      <h3>{messages.console.arguments}</h3>
      <ValueTree values={values} />
      {line.argumentsOmitted > 0 && <p className="hint">{messages.console.omitted(count(line.argumentsOmitted))}</p>}
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
