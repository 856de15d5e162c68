import type { Header } from 'har-format'
import { sentCookies, setCookies } from './har-cookies.ts'

/** Bounds on the cached names and on the text cached for each: pages choose both. */
const MAX_NAMES = 500
const LONGEST = 2_000

/** The log joins several values of one name with line breaks. */
export function headersOf(headers: Record<string, string>): Header[] {
  return Object.entries(headers).flatMap(([name, value]) => headersNamed(name, value))
}

const headersNamed = (name: string, value: string): Header[] =>
  value.includes('\n') ? value.split('\n').map((one) => ({ name, value: one })) : [{ name, value }]

/** Headers of a request or response, and what is read from them. */
export interface HeaderTexts {
  /** The list as JSON. */
  list: string
  /** Cookies of the Cookie or Set-Cookie header, as JSON. */
  cookies: string
  /** The first value of Content-Type, as JSON; null: there is none. */
  contentType: string | null
  values: Readonly<Record<string, string>>
}

/**
 * Writes headers as JSON. They make up most of an archive, and requests of one page share most of theirs, so the result
 * for all of them, and the text of each, is reused for as long as they stay the same.
 */
export class HarHeaders {
  readonly #cookiesOf: typeof sentCookies | typeof setCookies
  readonly #latest = new Map<string, { value: string; text: string }>()
  #json: string | null = null
  #texts: HeaderTexts = { list: '[]', cookies: '[]', contentType: null, values: {} }

  private constructor(cookiesOf: typeof sentCookies | typeof setCookies) {
    this.#cookiesOf = cookiesOf
  }

  static ofRequests(): HarHeaders {
    return new HarHeaders(sentCookies)
  }

  static ofResponses(): HarHeaders {
    return new HarHeaders(setCookies)
  }

  /** `json`: an object of texts, or null. */
  read(json: string): HeaderTexts {
    if (json === this.#json) return this.#texts
    const values = (JSON.parse(json) ?? {}) as Record<string, string>
    const texts: string[] = []
    for (const name in values) texts.push(this.#textOf(name, values[name]!))
    const contentType = firstOf(values['content-type'])
    this.#json = json
    this.#texts = {
      // Joined, unlike added texts, it is one flat string, which is copied faster.
      list: `[${texts.join('').slice(1)}]`,
      cookies: JSON.stringify(this.#cookiesOf(values)),
      contentType: contentType === undefined ? null : JSON.stringify(contentType),
      values,
    }
    return this.#texts
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

export const firstOf = (values: string | undefined): string | undefined => values?.split('\n', 1)[0]
