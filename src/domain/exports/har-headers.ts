import type { Header } from 'har-format'

/** Bounds on the cached names and on the text cached for each: pages choose both. */
const MAX_NAMES = 500
const LONGEST = 2_000

/** The log joins several values of one name with line breaks. */
export function headersOf(headers: Record<string, string>): Header[] {
  return Object.entries(headers).flatMap(([name, value]) => headersNamed(name, value))
}

const headersNamed = (name: string, value: string): Header[] =>
  value.includes('\n') ? value.split('\n').map((one) => ({ name, value: one })) : [{ name, value }]

/**
 * Serializes headers as JSON. They make up most of an archive, and requests of one page share most of theirs, so the
 * text of a list, and of each header, is reused for as long as its values stay the same.
 */
export class HarHeaders {
  readonly #latest = new Map<string, { value: string; text: string }>()
  #names: readonly string[] = []
  #headers: Record<string, string> = {}
  #list = '[]'

  /** The list as JSON. */
  textOf(headers: Record<string, string>): string {
    if (this.#isLatest(headers)) return this.#list
    const texts: string[] = []
    for (const name in headers) texts.push(this.#textOf(name, headers[name]!))
    this.#names = Object.keys(headers)
    this.#headers = headers
    // Joined, unlike added texts, it is one flat string, which is copied faster.
    this.#list = `[${texts.join('').slice(1)}]`
    return this.#list
  }

  #isLatest(headers: Record<string, string>): boolean {
    let index = 0
    for (const name in headers) {
      if (name !== this.#names[index] || headers[name] !== this.#headers[name]) return false
      index += 1
    }
    return index === this.#names.length
  }

  /** The text starts with a comma. */
  #textOf(name: string, value: string): string {
    const latest = this.#latest.get(name)
    if (latest?.value === value) return latest.text
    const text = `,${JSON.stringify(headersNamed(name, value)).slice(1, -1)}`
    if (text.length <= LONGEST && (latest || this.#latest.size < MAX_NAMES)) this.#latest.set(name, { value, text })
    return text
  }
}
