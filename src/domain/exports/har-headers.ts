import type { Header } from 'har-format'

/** Names that are remembered, and how long what is written of one may be: pages choose both. */
const MOST_NAMES = 500
const LONGEST = 2_000

/** Several values of one name are joined by line breaks in the log. */
export function headersOf(headers: Record<string, string>): Header[] {
  return Object.entries(headers).flatMap(([name, value]) => headersNamed(name, value))
}

const headersNamed = (name: string, value: string): Header[] =>
  value.includes('\n') ? value.split('\n').map((one) => ({ name, value: one })) : [{ name, value }]

/**
 * Writes headers as JSON. They are most of an archive, and the requests of a page have most of theirs in common: what was
 * written of a name is taken again for as long as its value stays.
 */
export class HarHeaders {
  readonly #latest = new Map<string, { value: string; text: string }>()

  /** The list. */
  textOf(headers: Record<string, string>): string {
    let list = ''
    for (const name in headers) list += this.#textOf(name, headers[name]!)
    return `[${list.slice(1)}]`
  }

  /** Each begins with a comma. */
  #textOf(name: string, value: string): string {
    const latest = this.#latest.get(name)
    if (latest?.value === value) return latest.text
    const text = `,${JSON.stringify(headersNamed(name, value)).slice(1, -1)}`
    if (text.length <= LONGEST && (latest || this.#latest.size < MOST_NAMES)) this.#latest.set(name, { value, text })
    return text
  }
}
