import { ACTION_LIMITS } from '../../../../ports/browser/action.ts'
import type { ExtractFields } from '../../../../contract/actions/extract.ts'
import type { ActionValues } from '../../../../contract/actions/list.ts'
import type { Json } from '../../../../ports/base/json.ts'
import { isPlaywrightError, refusedSelectorIn } from '../../library/playwright-errors.ts'
import { ActionFailure } from '../site/action-failure.ts'
import type { ActionHandler } from '../site/action-site.ts'
import { describeTarget, elementOf, locatorOf } from '../site/locate.ts'
import { MASK, SECRET_FIELDS } from '../site/secret-fields.ts'

type Kind = 'TEXT' | 'HTML' | 'ATTRIBUTE' | 'VALUE'

interface Request {
  as: Kind
  attribute: string | null
  /** With a list: what each item is made of, and how many there may be. */
  fields: [name: string, field: ExtractFields[string]][]
  count: number
  /** UTF-16 code units of the whole. */
  limit: number
  secret: typeof SECRET_FIELDS
  mask: string
}

/** The same for every request. What the log keeps must not hold what was masked when it was filled in. */
const MASKING = { secret: SECRET_FIELDS, mask: MASK }

interface Taken {
  /** Of a list, each item as its members: on the way out of the page an object loses one that is named `__proto__`. */
  value: Json
  /** UTF-16 code units cut off. */
  truncated: number
  /** Elements that no item was made of. */
  left: number
}

/** Runs in the page, so it stands alone: of one element, or of a list of them. */
function takeFrom(found: Element | Element[], { as, attribute, fields, count, limit, secret, mask }: Request): Taken {
  const known = Reflect.get(globalThis, Symbol.for(secret.symbol)) as WeakSet<Element> | undefined
  const isSecret = (element: Element) => element.matches(secret.selector) || known?.has(element) === true
  let space = limit
  let truncated = 0
  const cut = (text: string) => {
    const kept = text.slice(0, Math.max(0, space))
    truncated += text.length - kept.length
    return kept
  }
  const valueOf = (element: Element): Json => {
    const control = element instanceof HTMLLabelElement ? (element.control ?? element) : element
    if (control instanceof HTMLSelectElement && control.multiple) {
      return [...control.selectedOptions].map(({ value }) => value)
    }
    if (control instanceof HTMLInputElement && (control.type === 'checkbox' || control.type === 'radio')) {
      return control.checked
    }
    if ('value' in control && isSecret(control)) return control.value === '' ? '' : mask
    return 'value' in control ? cut(String(control.value)) : null
  }
  // Many pages keep the attribute of a field at what it holds.
  const htmlOf = (element: Element): string => {
    const secrets = [element, ...element.querySelectorAll('input[value]')].filter(
      (field) => field instanceof HTMLInputElement && field.hasAttribute('value') && isSecret(field),
    )
    return secrets.reduce((html, field) => {
      const masked = field.cloneNode() as Element
      masked.setAttribute('value', mask)
      return html.replaceAll(field.outerHTML, () => masked.outerHTML)
    }, element.outerHTML)
  }
  const take = (element: Element, kind: Kind, name: string | null): Json => {
    if (kind === 'HTML') return cut(htmlOf(element))
    if (kind === 'VALUE') return valueOf(element)
    if (kind === 'TEXT') return cut(element instanceof HTMLElement ? element.innerText : (element.textContent ?? ''))
    const value = element.getAttribute(name ?? '')
    if (value !== null && name?.toLowerCase() === 'value' && isSecret(element)) return mask
    return value === null ? null : cut(value)
  }
  if (!Array.isArray(found)) return { value: take(found, as, attribute), truncated, left: 0 }

  const items: [name: string, value: Json][][] = []
  for (const element of found.slice(0, count)) {
    const item: [name: string, value: Json][] = []
    for (const [name, field] of fields) {
      const wanted = typeof field === 'string' ? { css: field } : field
      const part = wanted.css === '' ? element : element.querySelector(wanted.css)
      const value = part && take(part, wanted.as ?? 'TEXT', wanted.attribute ?? null)
      item.push([name, value])
      space -= name.length + JSON.stringify(value).length + 4
    }
    items.push(item)
    if (space <= 0) break
  }
  return { value: items, truncated, left: found.length - items.length }
}

export const extract: ActionHandler<ActionValues<'extract'>> = async (site, input) => {
  const { target, as, attribute, limit: count } = input
  const { timeout } = site
  // JSON writes some characters as several.
  const limit = Math.floor(ACTION_LIMITS.result / 2)
  site.details.note({ as, ...(attribute === null ? {} : { attribute }) })
  if (as !== 'LIST') {
    const element = await elementOf(site, target)
    if (as === 'TEXT') {
      // The common case in one round trip. What is no HTML element, of an SVG say, is read as the others are.
      const text = await element.innerText({ timeout, signal: site.signal }).catch((error: unknown) => {
        if (isPlaywrightError(error, 'notHtml')) return null
        throw error
      })
      if (text !== null) {
        if (text.length > limit) site.details.note({ truncated: text.length - limit })
        return { result: text.slice(0, limit) }
      }
    }
    const one = await element.evaluate(takeFrom, { as, attribute, fields: [], count, limit, ...MASKING }, { timeout })
    if (one.truncated > 0) site.details.note({ truncated: one.truncated })
    return { result: one.value }
  }
  site.details.note({ target: describeTarget(target) })
  const all = locatorOf(site.page, target)
  const fields = Object.entries(input.fields as ExtractFields)
  const request: Request = { as: 'TEXT', attribute, fields, count, limit, ...MASKING }
  const take = () =>
    all.evaluateAll(takeFrom, request).catch((error: unknown) => {
      const selector = refusedSelectorIn(error)
      if (selector === null) throw error
      throw new ActionFailure('INVALID_INPUT', `${JSON.stringify(selector)} in fields is not a valid selector.`)
    })
  let list = await take()
  if ((list.value as Json[]).length === 0) {
    await all.first().waitFor({ state: 'attached', timeout })
    list = await take()
  }
  const { value, truncated, left } = list
  const items = (value as [name: string, value: Json][][]).map((item) => Object.fromEntries(item))
  site.details.note({ items: items.length })
  if (truncated > 0) site.details.note({ truncated })
  if (left > 0) site.details.note({ itemsLeft: left })
  return { result: items }
}
