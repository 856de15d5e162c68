import { Toggle } from '@base-ui/react/toggle'
import { useDeferredValue, useMemo, useState } from 'react'
import { useQuery } from 'urql'
import { sentenceFor } from '../api/errors.ts'
import { bytes, count } from '../base/format.ts'
import { findInJson, jsonOf } from '../base/json-document.ts'
import { BodyContent } from '../api/log-operations.ts'
import { messages } from '../base/messages.ts'
import { ownUrl } from '../base/own-url.ts'
import { CopyButton } from '../parts/copy-button.tsx'
import { JsonTree } from '../parts/json-tree.tsx'
import { Problem } from '../parts/problem.tsx'
import { SearchField } from '../parts/search-field.tsx'
import { TextView } from '../parts/text-view.tsx'
import { findInText, MAX_HITS, patternOf } from '../base/text-search.ts'

const words = messages.network.body

/** Larger bodies are loaded on demand. */
const OPEN_BYTES = 64 * 1024

interface Props {
  id: string
  direction: 'request' | 'response'
  body: { contentType: string | null; sizeBytes: number; truncated: number } | null
  omitted: keyof typeof words.omitted | null
}

/** A request or response body, or the reason why it is missing. Nothing if there was none. */
export function RequestBody({ id, direction, body, omitted }: Props) {
  const [isOpen, setIsOpen] = useState(body !== null && body.sizeBytes - body.truncated <= OPEN_BYTES)
  const title = words.title[direction]
  if (!body) {
    return (
      omitted && (
        <>
          <h3>{title}</h3>
          <p className="hint">{words.omitted[omitted]}</p>
        </>
      )
    )
  }
  const facts = [body.contentType, bytes(body.sizeBytes), body.truncated > 0 && words.truncated(bytes(body.truncated))]
  return (
    <details className="request-body" open={isOpen} onToggle={(event) => setIsOpen(event.currentTarget.open)}>
      <summary>
        <h3>{title}</h3> <span className="faint">{facts.filter(Boolean).join(', ')}</span>
      </summary>
      {isOpen && <Content id={id} direction={direction} />}
    </details>
  )
}

function Content({ id, direction }: Pick<Props, 'id' | 'direction'>) {
  const [{ data, error, fetching }, refetch] = useQuery({
    query: BodyContent,
    variables: { id, sent: direction === 'request' },
  })
  const request = data?.node && 'id' in data.node ? data.node : null
  const body = request?.requestBody ?? request?.responseBody
  return (
    <>
      {error && <Problem onRetry={() => refetch()}>{sentenceFor(error)}</Problem>}
      {fetching && <p className="faint">{messages.loading}</p>}
      {body && body.text !== null && <Text text={body.text} direction={direction} url={body.url} />}
      {body && body.text === null && (
        <div className="bar">
          {!error && <span className="faint">{words.noText}</span>}
          <Download url={body.url} />
        </div>
      )}
    </>
  )
}

function Text({ text, direction, url }: { text: string; direction: Props['direction']; url: string }) {
  const json = useMemo(() => jsonOf(text), [text])
  const [isRaw, setIsRaw] = useState(false)
  const [search, setSearch] = useState('')
  const [turned, setTurned] = useState(0)
  const wanted = useDeferredValue(search)
  const tree = isRaw ? null : json
  const paths = useMemo(
    () => (wanted === '' || !tree ? [] : findInJson(tree, patternOf(wanted), MAX_HITS)),
    [tree, wanted],
  )
  const ranges = useMemo(
    () => (wanted === '' || tree ? [] : findInText(text, patternOf(wanted), MAX_HITS)),
    [text, tree, wanted],
  )
  const hits = tree ? paths.length : ranges.length
  const active = hits === 0 ? 0 : ((turned % hits) + hits) % hits
  const look = (value: string) => {
    setSearch(value)
    setTurned(0)
  }
  return (
    <>
      <form
        className="bar"
        onSubmit={(event) => {
          event.preventDefault()
          setTurned(turned + 1)
        }}
      >
        <SearchField label={words.search[direction]} value={search} onChange={look} />
        <span role="status" className="faint">
          {wanted !== '' && words.hits(count(active + 1), `${count(hits)}${hits === MAX_HITS ? '+' : ''}`, hits)}
        </span>
        {hits > 0 && (
          <>
            <button type="button" className="button quiet" onClick={() => setTurned(turned - 1)}>
              {words.previousHit}
            </button>
            <button type="submit" className="button quiet">
              {words.nextHit}
            </button>
          </>
        )}
        <span className="bar-gap" />
        {json && (
          <Toggle
            className="toggle"
            pressed={isRaw}
            onPressedChange={(pressed) => {
              setIsRaw(pressed)
              setTurned(0)
            }}
          >
            {words.raw}
          </Toggle>
        )}
        <CopyButton label={words.copy[direction]} text={() => text} />
        <Download url={url} />
      </form>
      {text === '' && <p className="faint">{words.empty}</p>}
      {tree ? (
        <JsonTree root={tree} active={paths[active] ?? null} />
      ) : (
        <TextView text={text} hits={ranges} active={active} />
      )}
    </>
  )
}

function Download({ url }: { url: string }) {
  return (
    <a className="button quiet" href={ownUrl(url, '/bodies/')} download>
      {words.download}
    </a>
  )
}
