import { Popover } from '@base-ui/react/popover'
import { useQuery } from 'urql'
import { dateTime } from '../base/format.ts'
import { ExportLinks } from '../api/operations.ts'
import { ownUrl } from '../base/own-url.ts'
import { OperationCopy } from '../parts/operation-copy.tsx'
import { Problem } from '../parts/problem.tsx'
import { sentenceFor } from '../api/errors.ts'
import { messages } from '../base/messages.ts'

/** Downloads of a session's log. The links are created when this is opened. */
export function ExportLog({ id }: { id: string }) {
  return (
    <Popover.Root>
      <Popover.Trigger className="button">{messages.export.button}</Popover.Trigger>
      <Popover.Portal>
        <Popover.Positioner sideOffset={6} align="end" className="positioner">
          <Popover.Popup className="popup connect">
            <Popover.Title className="popup-title">{messages.export.title}</Popover.Title>
            <Links id={id} />
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  )
}

function Links({ id }: { id: string }) {
  const [{ data, error }, refetch] = useQuery({ query: ExportLinks, variables: { id }, requestPolicy: 'network-only' })
  if (error) return <Problem onRetry={() => refetch()}>{sentenceFor(error)}</Problem>
  if (!data) return <p className="faint">{messages.loading}</p>
  const links = [
    [messages.export.har, messages.export.harHint, data.har.url],
    [messages.export.ndjson, messages.export.ndjsonHint, data.ndjson.url],
  ] as const
  return (
    <>
      {links.map(([name, hint, url]) => (
        <p key={name}>
          <a href={ownUrl(url, '/exports/')} download>
            {name}
          </a>{' '}
          <span className="faint">{hint}</span>
        </p>
      ))}
      <div className="bar">
        <p className="hint">{messages.export.hint(dateTime(data.har.expiresAt))}</p>
        <OperationCopy document={ExportLinks as never} variables={{ id }} />
      </div>
    </>
  )
}
