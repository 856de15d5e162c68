import { useEffect, useMemo, useRef, useState, type ReactNode } from 'react'
import {
  isBranch,
  leafText,
  memberOf,
  namesOf,
  sizeOf,
  type JsonBranch,
  type JsonLeaf,
  type JsonNode,
  type JsonPath,
} from '../base/json-document.ts'

/** Members shown at a time; further ones are in collapsible groups. */
const GROUP = 100
/** Of one string. The text view shows all of it. */
const MAX_CHARACTERS = 10_000

/**
 * A document as a tree. Only expanded parts are rendered, regardless of the document's size; the value at `active` is
 * expanded and marked.
 */
export function JsonTree({ root, active }: { root: JsonBranch; active: JsonPath | null }) {
  return (
    <ul className="values">
      <Members value={root} active={active} depth={0} />
    </ul>
  )
}

interface Place {
  /** The member searched for, if it is within this value. */
  active: JsonPath | null
  depth: number
}

function Members({ value, active, depth, from = 0, to }: Place & { value: JsonBranch; from?: number; to?: number }) {
  const names = useMemo(() => namesOf(value), [value])
  const end = to ?? sizeOf(value, names)
  let step = 1
  while (end - from > step * GROUP) step *= GROUP
  const starts = Array.from({ length: Math.ceil((end - from) / step) }, (_, index) => from + index * step)
  const here = active?.[depth]
  return starts.map((start) => {
    const isHere = here !== undefined && here >= start && here < start + step
    const within = isHere ? active : null
    if (step === 1) {
      const name = names ? names[start]! : String(start)
      return <Member key={start} name={name} value={memberOf(value, names, start)} active={within} depth={depth + 1} />
    }
    const last = Math.min(start + step, end)
    return (
      <li key={start}>
        <Branch label={<span className="value-name">{`[${start} … ${last - 1}]`}</span>} active={within}>
          {() => <Members value={value} active={within} depth={depth} from={start} to={last} />}
        </Branch>
      </li>
    )
  })
}

function Member({ name, value, active, depth }: Place & { name: string; value: JsonNode }) {
  const isActive = active?.length === depth
  const label = (
    <Label isActive={isActive ? active : null}>
      <span className="value-name">{name}: </span>
      {isBranch(value) ? <Size value={value} /> : <Leaf value={value} />}
    </Label>
  )
  if (!isBranch(value) || isEmpty(value)) return <li className="value">{label}</li>
  return (
    <li>
      <Branch label={label} active={isActive ? null : active} isOpen={depth === 1 && !isLong(value)}>
        {() => <Members value={value} active={isActive ? null : active} depth={depth} />}
      </Branch>
    </li>
  )
}

const isEmpty = (value: JsonBranch) => sizeOf(value, namesOf(value)) === 0
const isLong = (value: JsonBranch) => sizeOf(value, namesOf(value)) > 20

/** Expands the branch of the active member, even after it was collapsed. */
function Branch(props: { label: ReactNode; active: JsonPath | null; isOpen?: boolean; children: () => ReactNode }) {
  const { label, active, children } = props
  const [isOpen, setIsOpen] = useState(props.isOpen ?? false)
  useEffect(() => {
    if (active) setIsOpen(true)
  }, [active])
  return (
    <details className="value" open={isOpen} onToggle={(event) => setIsOpen(event.currentTarget.open)}>
      <summary>{label}</summary>
      {isOpen && <ul className="values">{children()}</ul>}
    </details>
  )
}

function Label({ isActive, children }: { isActive: JsonPath | null; children: ReactNode }) {
  const mark = useRef<HTMLElement>(null)
  useEffect(() => {
    // Its result is not a cleanup function: newer browsers return a promise.
    mark.current?.scrollIntoView({ block: 'nearest' })
  }, [isActive])
  return isActive ? <mark ref={mark}>{children}</mark> : children
}

function Size({ value }: { value: JsonBranch }) {
  const names = namesOf(value)
  const size = sizeOf(value, names)
  return <span className="faint">{names ? `{${size}}` : `[${size}]`}</span>
}

function Leaf({ value }: { value: JsonLeaf }) {
  const text = leafText(value)
  const shown = text.slice(0, MAX_CHARACTERS)
  return (
    <span data-type={typeof value}>
      {typeof value === 'string' ? JSON.stringify(shown) : shown}
      {shown.length < text.length && '…'}
    </span>
  )
}
