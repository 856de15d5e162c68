import type { Json } from '../api/graphql.ts'
import { messages } from '../base/messages.ts'

interface Value {
  name?: string
  type: string
  subtype?: string
  className?: string
  value?: string | number | boolean | null
  description?: string
  length?: number
  properties?: Value[]
  entries?: { key?: Value; value: Value }[]
  truncated?: boolean
  later?: boolean
}

/** Logged values, as expandable lists. */
export function ValueTree({ values }: { values: readonly Json[] }) {
  return (
    <ul className="values">
      {(values as unknown as Value[]).map((value, index) => (
        <li key={index}>
          <Node value={value} isOpen={values.length === 1} />
        </li>
      ))}
    </ul>
  )
}

function Node({ value, isOpen = false }: { value: Value; isOpen?: boolean }) {
  const members = membersOf(value)
  const label = (
    <>
      {value.name !== undefined && <span className="value-name">{value.name}: </span>}
      <span data-type={value.subtype ?? value.type}>{summaryOf(value)}</span>
      {value.later && <span className="faint"> {messages.console.later}</span>}
    </>
  )
  if (members.length === 0) return <span className="value">{label}</span>
  return (
    <details className="value" open={isOpen}>
      <summary>{label}</summary>
      <ul className="values">
        {members.map((member, index) => (
          <li key={index}>
            <Node value={member} />
          </li>
        ))}
        {value.truncated && <li className="faint">{messages.console.more}</li>}
      </ul>
    </details>
  )
}

function membersOf({ properties = [], entries = [] }: Value): Value[] {
  const ofEntries = entries.map(({ key, value }, index): Value => ({
    ...value,
    name: key ? summaryOf(key) : String(index),
  }))
  return [...ofEntries, ...properties]
}

function summaryOf({ type, subtype, value, description, className, length, truncated }: Value): string {
  const more = truncated ? '…' : ''
  if (type === 'string') return JSON.stringify(value) + more
  if (value !== undefined) return String(value)
  if (subtype === 'error') return (description ?? 'Error').split('\n', 1)[0]!
  if (description !== undefined) return description
  if (subtype === 'array') return `Array(${length ?? more})`
  return className ?? (type === 'object' ? 'Object' : type)
}
