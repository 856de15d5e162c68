import type { ReactNode } from 'react'
import type { LogFeed, LogVariables } from './log-feed.ts'
import type { LogStore } from './log-store.ts'
import { LogStatus } from './log-status.tsx'
import { OperationCopy } from '../parts/operation-copy.tsx'
import { Problem } from '../parts/problem.tsx'

interface Props<Entry extends { readonly sequence: number }, Variables extends LogVariables> {
  feed: LogFeed<Entry, Variables>
  store: LogStore<Entry>
  shown: number
  filters: ReactNode
  grid: ReactNode
  details: ReactNode
}

/** Shared by the panels of the three logs: filters, reading status, rows, and details of the selected one. */
export function LogPanel<Entry extends { readonly sequence: number }, Variables extends LogVariables>(
  props: Props<Entry, Variables>,
) {
  const { feed, store } = props
  return (
    <div className="panel">
      <div className="bar">
        {props.filters}
        <span className="bar-gap" />
        <LogStatus store={store} shown={props.shown} />
        <OperationCopy document={feed.document as never} variables={{ ...feed.variables, after: store.cursor }} />
      </div>
      {store.problem && <Problem onRetry={() => feed.start()}>{store.problem}</Problem>}
      <div className="panel-body" data-open={props.details !== null}>
        {props.grid}
        {props.details}
      </div>
    </div>
  )
}
