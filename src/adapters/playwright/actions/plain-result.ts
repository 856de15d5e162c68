import type { Json } from '../../../ports/json.ts'

/** A value as the browser writes it down by itself, without running anything of the page but getters. */
export interface DeepValue {
  type: string
  value?: unknown
  weakLocalObjectReference?: number
}

/** Values of a result, those that stand in several places counted in each: beyond that it is too long in any case. */
const MOST_VALUES = 200_000

/** Why a value cannot be a result. */
export class NoResult extends Error {}

/** What JSON says of a value, whatever the page has made of JSON.stringify and toJSON. What JSON cannot say is null. */
export function plainResult(value: DeepValue | undefined, depth: number): Json {
  return value === undefined ? null : new Reading(depth).read(value, depth)
}

/** The browser does not look into these: what they say is up to the page. */
const PAGE_MADE: ReadonlySet<string> = new Set(['platformobject', 'proxy', 'typedarray'])

/** Whether something in a value can only be written down by the page itself. */
export function needsPage(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(needsPage)
  if (typeof value !== 'object' || value === null) return false
  const { type, value: held } = value as DeepValue
  return PAGE_MADE.has(type) || needsPage(held)
}

class Reading {
  readonly #depth: number
  readonly #known = new Map<number, DeepValue>()
  readonly #open = new Set<DeepValue>()
  #count = 0

  constructor(depth: number) {
    this.#depth = depth
  }

  read(given: DeepValue, levels: number): Json {
    this.#count += 1
    if (this.#count > MOST_VALUES) throw new NoResult(`The result has more than ${MOST_VALUES} values.`)
    const value = this.#resolved(given)
    switch (value.type) {
      case 'string':
      case 'boolean':
        return value.value as string | boolean
      case 'number':
        return typeof value.value === 'number' ? value.value : value.value === '-0' ? 0 : null
      case 'date':
        return value.value as string
      case 'array':
      case 'object':
        return this.#membersOf(value, levels)
      case 'undefined':
      case 'null':
      case 'function':
      case 'symbol':
      case 'bigint':
        return null
      default:
        return {}
    }
  }

  /** One that was written down before is referred to by its number. */
  #resolved(value: DeepValue): DeepValue {
    const { weakLocalObjectReference: reference } = value
    if (reference === undefined) return value
    if (value.value !== undefined) this.#known.set(reference, value)
    return this.#known.get(reference) ?? value
  }

  #membersOf(value: DeepValue, levels: number): Json {
    if (this.#open.has(value)) throw new NoResult('The result contains itself.')
    if (levels === 0 || value.value === undefined) {
      throw new NoResult(`The result nests deeper than ${this.#depth} levels.`)
    }
    this.#open.add(value)
    try {
      if (value.type === 'array') return (value.value as DeepValue[]).map((item) => this.read(item, levels - 1))
      const members = (value.value as [string | DeepValue, DeepValue][]).filter(
        ([name, member]) => typeof name === 'string' && !LEFT_OUT.has(member.type),
      )
      return Object.fromEntries(members.map(([name, member]) => [name as string, this.read(member, levels - 1)]))
    } finally {
      this.#open.delete(value)
    }
  }
}

/** Members of an object that JSON has not. */
const LEFT_OUT: ReadonlySet<string> = new Set(['function', 'symbol', 'undefined'])
