import type { ResultOf } from 'gql.tada'
import { useEffect, useState } from 'react'
import { useQuery } from 'urql'
import { bytes, dateTime } from '../base/format.ts'
import { Artifacts } from '../api/operations.ts'
import { ownUrl, ownViewerUrl } from '../base/own-url.ts'
import { OperationCopy } from '../parts/operation-copy.tsx'
import { Problem } from '../parts/problem.tsx'
import { sentenceFor } from '../api/errors.ts'
import type { SessionLogs, TimelineEntry } from '../log/session-logs.ts'
import { messages } from '../base/messages.ts'
import { useLog, useMatching } from '../log/use-log.ts'

type Artifact = NonNullable<ResultOf<typeof Artifacts>['session']>['artifacts']['nodes'][number]

/** Links expire after an hour, so they are refetched earlier. */
const FRESH_LINKS_MS = 45 * 60_000
const isNewArtifact = ({ __typename }: TimelineEntry) => __typename === 'ArtifactCreated'

export function ArtifactsPanel({ logs, id }: { logs: SessionLogs; id: string }) {
  const store = useLog(logs.timeline)
  const kept = useMatching(store.entries, isNewArtifact).length
  const [cursors, setCursors] = useState<readonly (string | null)[]>([null])
  return (
    <div className="panel">
      <div className="bar">
        <span className="bar-gap" />
        <OperationCopy document={Artifacts as never} variables={{ session: id, after: cursors.at(-1) }} />
      </div>
      {/* Scrollable, so it must be focusable by keyboard. */}
      <div className="artifacts" tabIndex={0} role="group" aria-label={messages.artifacts.label}>
        {cursors.map((after) => (
          <ArtifactPage
            key={after}
            session={id}
            after={after}
            kept={kept}
            isLast={after === cursors.at(-1)}
            onMore={(cursor) => setCursors([...cursors, cursor])}
          />
        ))}
      </div>
    </div>
  )
}

function ArtifactPage(props: {
  session: string
  after: string | null
  /** Number of artifacts so far: the list is refetched when it grows. */
  kept: number
  isLast: boolean
  onMore: (cursor: string) => void
}) {
  const { session, after, kept, isLast } = props
  const [{ data, error, fetching }, refetch] = useQuery({ query: Artifacts, variables: { session, after } })
  useEffect(() => {
    if (kept > 0) refetch()
  }, [refetch, kept])
  useEffect(() => {
    const timer = setInterval(() => refetch(), FRESH_LINKS_MS)
    return () => clearInterval(timer)
  }, [refetch])
  if (error) return <Problem onRetry={() => refetch()}>{sentenceFor(error)}</Problem>
  const page = data?.session?.artifacts
  if (!page) return <p className="faint">{fetching ? messages.loading : messages.session.missing}</p>
  if (page.nodes.length === 0 && after === null) {
    return (
      <div className="blank">
        <p>{messages.artifacts.empty}</p>
        <p className="faint">{messages.artifacts.emptyHint}</p>
      </div>
    )
  }
  const { hasNextPage, endCursor } = page.pageInfo
  return (
    <>
      <ul className="tiles">
        {page.nodes.map((artifact) => (
          <Tile key={artifact.id} artifact={artifact} />
        ))}
      </ul>
      {isLast && hasNextPage && endCursor !== null && (
        <button type="button" className="button more" onClick={() => props.onMore(endCursor)}>
          {messages.artifacts.more}
        </button>
      )}
    </>
  )
}

function Tile({ artifact }: { artifact: Artifact }) {
  const { kind, name, contentType, sizeBytes, createdAt, viewerUrl } = artifact
  const url = ownUrl(artifact.url, '/artifacts/')
  return (
    <li className="tile">
      <div className="preview">
        <Preview artifact={artifact} url={url} />
      </div>
      <p className="tile-name" title={name}>
        {name}
      </p>
      <p className="faint" title={contentType}>
        {messages.artifacts.kinds[kind]} · {bytes(sizeBytes)} · {dateTime(createdAt)}
      </p>
      <p className="tile-links">
        {viewerUrl === null ? (
          <a href={url} target="_blank" rel="noreferrer">
            {messages.artifacts.open}
          </a>
        ) : (
          <a href={ownViewerUrl(viewerUrl)} target="_blank" rel="noreferrer">
            {messages.artifacts.openTrace}
          </a>
        )}
        <a href={`${url}&download=1`} download={name}>
          {messages.artifacts.download}
        </a>
      </p>
    </li>
  )
}

function Preview({ artifact: { kind, name, contentType }, url }: { artifact: Artifact; url: string }) {
  if (contentType.startsWith('image/')) {
    return <img src={url} alt={messages.artifacts.preview(name)} loading="lazy" />
  }
  if (contentType.startsWith('video/')) {
    return <video src={url} controls preload="metadata" aria-label={messages.artifacts.preview(name)} />
  }
  return (
    <span className="preview-kind" aria-hidden="true">
      {messages.artifacts.kinds[kind]}
    </span>
  )
}
