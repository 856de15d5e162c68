import type { Frame, Locator, Page } from 'playwright'

/** What stands for a secret wherever it would show. */
export const MASK = '••••••'

/** How many characters a secret has may be known: people want to see that something was filled in. */
export const maskOf = (characters: number): string => `${MASK} (${characters} characters)`

/** What people take for one character is one, whatever it takes in UTF-16. */
export function charactersOf(text: string): number {
  let count = 0
  for (let index = 0; index < text.length; index += text.codePointAt(index)! > 0xffff ? 2 : 1) count += 1
  return count
}

/** Fields for passwords, one-time codes and the numbers of cards, by what browsers go by too. */
const HINTS = ['current-password', 'new-password', 'one-time-code', 'cc-number', 'cc-csc']
const SELECTOR = ['input[type=password i]', ...HINTS.map((hint) => `[autocomplete~="${hint}" i]`)].join(', ')

/**
 * What code in a page needs to know a secret field: those that look like one, and those that did when a step filled them
 * in. Buttons that show a password make a text field of it; the set under the symbol remembers what it was.
 */
export const SECRET_FIELDS = { selector: SELECTOR, symbol: 'secret fields' } as const

export type Judgement = 'HARMLESS' | 'SECRET' | 'UNKNOWN'

/**
 * Whether what goes into the element may be read in the log. It has to be there, and be no secret field, to count as
 * harmless. One question beside the step, for that costs least (measured: two counts of Playwright take three times as
 * long, and "none of these" as a selector would look at each element of the page). A page that has its own `matches`
 * can only unmask what it was told anyway.
 */
export async function judge(element: Locator): Promise<Judgement> {
  const asked = element.evaluateAll((found, { selector, symbol }) => {
    const key = Symbol.for(symbol)
    const known = (Reflect.get(globalThis, key) as WeakSet<Element> | undefined) ?? new WeakSet<Element>()
    Object.defineProperty(globalThis, key, { value: known, configurable: true })
    return found.map((one) => {
      const field = one instanceof HTMLLabelElement ? one.control : one
      if (field?.matches(selector)) known.add(field)
      // A label may stand for any field.
      return one instanceof HTMLLabelElement || known.has(one)
    })
  }, SECRET_FIELDS)
  const isSecret = await asked.catch((): boolean[] => [])
  return isSecret.includes(true) ? 'SECRET' : isSecret.length === 0 ? 'UNKNOWN' : 'HARMLESS'
}

/** The same of what has the focus; a frame may have anything in it. */
export async function judgeFocus(page: Page): Promise<Judgement> {
  try {
    const isSecret = await page.evaluate(({ selector, symbol }) => {
      const key = Symbol.for(symbol)
      const known = (Reflect.get(globalThis, key) as WeakSet<Element> | undefined) ?? new WeakSet<Element>()
      Object.defineProperty(globalThis, key, { value: known, configurable: true })
      let element = document.activeElement
      while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement
      if (!element) return false
      if (element.matches(selector)) known.add(element)
      return element.localName === 'iframe' || known.has(element)
    }, SECRET_FIELDS)
    return isSecret ? 'SECRET' : 'HARMLESS'
  } catch {
    return 'UNKNOWN'
  }
}

/** What the secret fields of a page hold. A frame that cannot be asked shows nothing in a snapshot either. */
export async function secretsOf(page: Page): Promise<string[]> {
  const values = await Promise.all(page.frames().map((frame) => secretsOfFrame(frame).catch((): string[] => [])))
  return values.flat().filter((value) => value !== '')
}

async function secretsOfFrame(frame: Frame): Promise<string[]> {
  const fields = frame.locator('input, textarea')
  // Counting is one round trip, reading is several.
  if ((await fields.count().catch(() => 1)) === 0) return []
  return fields.evaluateAll((found, { selector, symbol }) => {
    const known = Reflect.get(globalThis, Symbol.for(symbol)) as WeakSet<Element> | undefined
    const secret = found.filter((field) => field.matches(selector) || known?.has(field) === true)
    return secret.map((field) => (field as HTMLInputElement | HTMLTextAreaElement).value)
  }, SECRET_FIELDS)
}
