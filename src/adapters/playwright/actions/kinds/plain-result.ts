import type { Json } from '../../../../ports/base/json.ts'

/** A value as the browser writes it down by itself. */
interface DeepValue {
  type: string
  value?: unknown
}

type Members = Readonly<Record<string, Written>>
/** See WRITE_RESULT. */
type Written =
  | string
  | number
  | boolean
  | null
  | [0, members: Members]
  | [1, number: number, length: number, members: Members, isArray: 0 | 1 | 2]
  | [2, number: number]

/** Why a value cannot be a result. */
export type NoResult = 'long' | 'deep' | 'circular'

/** What WRITE_RESULT has written, as JSON has it; or why it has not. `most`: of characters. */
export function plainResult(given: DeepValue | undefined, most: number): { result: Json } | { no: NoResult } {
  const { text, listed, why } = membersOf(given)
  if (typeof text?.value !== 'string') return { no: (why?.value as NoResult | undefined) ?? 'long' }
  const reading = new Reading(Object.values(membersOf(listed)), most)
  const result = reading.read(JSON.parse(text.value) as Written)
  return reading.isTooLong ? { no: 'long' } : { result }
}

const membersOf = (given: DeepValue | undefined): Readonly<Record<string, DeepValue>> =>
  Object.fromEntries((given?.value ?? []) as [string, DeepValue][])

class Reading {
  readonly #listed: readonly DeepValue[]
  #itemsLeft: number

  constructor(listed: readonly DeepValue[], most: number) {
    this.#listed = listed
    this.#itemsLeft = most
  }

  /** Lists without members are written in a few characters, whatever their length. */
  get isTooLong(): boolean {
    return this.#itemsLeft < 0
  }

  read(written: Written): Json {
    if (!Array.isArray(written)) return written
    if (written[0] === 2) return dateOf(this.#listed[written[1]])
    if (written[0] === 0) return this.#object(written[1])
    const [, number, length, members, isArray] = written
    const type = this.#listed[number]?.type
    // The browser does not look into a proxy.
    const isProxied = type === 'proxy' && (isArray === 1 || (isArray === 2 && hasIndexesAlone(members)))
    return type === 'array' || isProxied ? this.#array(length, members) : this.#object(members)
  }

  #object(members: Members): Json {
    return Object.fromEntries(Object.entries(members).map(([name, member]) => [name, this.read(member)]))
  }

  #array(length: number, members: Members): Json {
    this.#itemsLeft -= length
    if (this.isTooLong) return null
    return Array.from({ length }, (_, index) => {
      const member = members[String(index)]
      return member === undefined ? null : this.read(member)
    })
  }
}

const hasIndexesAlone = (members: Members) => Object.keys(members).every((name) => /^\d+$/.test(name))

const dateOf = (listed: DeepValue | undefined): string | null =>
  listed?.type === 'date' && !Number.isNaN(Date.parse(String(listed.value))) ? String(listed.value) : null
