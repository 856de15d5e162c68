import type { ResultOf } from 'gql.tada'
import { useClient, useQuery } from 'urql'
import { bytes, count, dateTime, duration } from '../base/format.ts'
import type { Json } from '../api/graphql.ts'
import { BodyContent, RequestDetails } from '../api/log-operations.ts'
import { CopyButton } from '../parts/copy-button.tsx'
import { DetailsPane, Facts } from '../parts/details-pane.tsx'
import { OperationCopy } from '../parts/operation-copy.tsx'
import { curlOf, fetchOf, type CopiedBody } from './request-commands.ts'
import { RequestBody } from './request-body.tsx'
import { ServerSentEvents } from './server-sent-events.tsx'
import { RequestCookies } from './request-cookies.tsx'
import { Problem } from '../parts/problem.tsx'
import { sentenceFor } from '../api/errors.ts'
import { messages } from '../base/messages.ts'

type Node = NonNullable<ResultOf<typeof RequestDetails>['node']>
type Details = Extract<Node, { requestHeaders: Json }>

/** All details of one request. The rows hold only the displayed fields, so the rest is fetched now. */
export function RequestPane({ session, id, onClose }: { session: string; id: string; onClose: () => void }) {
  const [{ data, error }, refetch] = useQuery({ query: RequestDetails, variables: { id } })
  const request = data?.node && 'requestHeaders' in data.node ? data.node : null
  return (
    <DetailsPane
      label={messages.network.request}
      onClose={onClose}
      tools={
        <>
          {request && <CopyButton label={messages.copy} text={() => request.url} />}
          {request && <Commands request={request} />}
          <OperationCopy document={RequestDetails as never} variables={{ id }} />
        </>
      }
    >
      {error && <Problem onRetry={() => refetch()}>{sentenceFor(error)}</Problem>}
      {request ? (
        <Request session={session} request={request} />
      ) : (
        !error && <p className="faint">{messages.loading}</p>
      )}
    </DetailsPane>
  )
}

/** Copies the request as a command, whose body is loaded on demand. */
function Commands({ request }: { request: Details }) {
  const client = useClient()
  const bodyOf = async (): Promise<CopiedBody | null> => {
    const { requestBody, requestBodyOmitted } = request
    const { command, body } = messages.network
    if (requestBodyOmitted) return { text: null, note: command.omitted(body.omitted[requestBodyOmitted]) }
    if (!requestBody) return null
    const { data, error } = await client.query(BodyContent, { id: request.id, sent: true }).toPromise()
    if (error || !data?.node || !('requestBody' in data.node)) throw new Error('The body could not be loaded.')
    const text = data.node.requestBody?.text ?? null
    const isCut = text !== null && requestBody.truncated > 0
    return { text, note: isCut ? command.truncated(bytes(requestBody.truncated)) : null }
  }
  return (
    <>
      <CopyButton label={messages.network.copyAs.cURL} text={async () => curlOf(request, await bodyOf())}>
        cURL
      </CopyButton>
      <CopyButton label={messages.network.copyAs.fetch} text={async () => fetchOf(request, await bodyOf())}>
        fetch
      </CopyButton>
    </>
  )
}

function Request({ session, request }: { session: string; request: Details }) {
  const { timing, responseHeaders, initiator } = request
  const size = (value: number | null) => (value === null ? null : bytes(value))
  const received = (
    <RequestBody id={request.id} direction="response" body={request.responseBody} omitted={request.bodyOmitted} />
  )
  // It says why, so it is seen without scrolling.
  const isBodyFirst = request.status !== null && request.status >= 400
  const phases = Object.entries(messages.network.phases) as [keyof typeof messages.network.phases, string][]
  return (
    <>
      <p className="text">
        {request.method} {request.url}
      </p>
      {isBodyFirst && received}
      <Facts
        facts={[
          [messages.network.columns.status, [request.status, request.statusText].filter(Boolean).join(' ')],
          [messages.network.outcome, words(request.outcome)],
          [messages.network.failure, request.failure && <span className="error">{request.failure}</span>],
          [messages.network.columns.type, words(request.resourceType)],
          [messages.network.mimeType, request.mimeType],
          [messages.network.initiator, initiator && <Initiator initiator={initiator} />],
          [messages.network.frame, request.frame?.url],
          [messages.network.redirectedFrom, request.redirectedFrom],
          [messages.network.started, dateTime(request.startedAt)],
          [messages.network.took, duration(request.durationMs)],
          [messages.network.sent, size(request.requestBytes)],
          [
            messages.network.received,
            request.fromCache
              ? `${size(request.responseBytes) ?? ''} ${messages.network.cached}`
              : size(request.responseBytes),
          ],
          [messages.network.servedBy, request.servedBy && words(request.servedBy)],
          [messages.network.protocol, request.protocol],
          [messages.network.priority, request.priority && words(request.priority)],
          [messages.network.remoteAddress, request.remoteAddress],
        ]}
      />
      {!isBodyFirst && received}
      <RequestBody
        id={request.id}
        direction="request"
        body={request.requestBody}
        omitted={request.requestBodyOmitted}
      />
      {request.resourceType === 'EVENT_SOURCE' && (
        <ServerSentEvents key={request.id} session={session} requestId={request.id} />
      )}
      {timing && (
        <>
          <h3>{messages.network.timing}</h3>
          <Facts
            facts={phases.map(([phase, name]) => {
              const ms = timing[phase]
              return [name, ms === null ? null : duration(ms)] as const
            })}
          />
        </>
      )}
      {initiator?.stack && (
        <>
          <h3>{messages.network.stack}</h3>
          <pre className="text">{initiator.stack}</pre>
        </>
      )}
      <RequestCookies title={messages.network.cookiesSent} cookies={request.cookiesSent} />
      <RequestCookies title={messages.network.cookiesSet} cookies={request.cookiesSet} />
      {request.cookiesOmitted > 0 && (
        <p className="faint">{messages.network.cookiesOmitted(count(request.cookiesOmitted))}</p>
      )}
      <Headers title={messages.network.responseHeaders} headers={responseHeaders} />
      <Headers title={messages.network.requestHeaders} headers={request.requestHeaders} />
    </>
  )
}

/** Display text of an enum value. */
const words = (value: string) => value.toLowerCase().replaceAll('_', ' ')

function Initiator({ initiator }: { initiator: NonNullable<Details['initiator']> }) {
  const { type, location } = initiator
  const place = location && [location.url, location.line, location.column].filter((part) => part !== null).join(':')
  return (
    <>
      {words(type)}
      {place && <span className="faint"> {place}</span>}
    </>
  )
}

function Headers({ title, headers }: { title: string; headers: Json | null }) {
  const entries = typeof headers === 'object' && headers !== null ? Object.entries(headers) : []
  return (
    <>
      <h3>{title}</h3>
      {entries.length === 0 ? (
        <p className="faint">{messages.network.noHeaders}</p>
      ) : (
        <Facts
          facts={entries.map(
            ([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)] as const,
          )}
        />
      )}
    </>
  )
}
