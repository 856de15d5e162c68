import type { Locator } from 'playwright'
import type { ActionValues } from '../../../ports/actions/list.ts'
import type { ActionHandler, ActionSite } from './action-site.ts'
import { elementOf } from './locate.ts'

export const fill: ActionHandler<ActionValues<'fill'>> = async (site, { target, value }) => {
  // Until it is known what kind of field it is.
  site.details.note({ value: masked(value) })
  const element = await elementOf(site, target)
  // Beside the filling, not before: a round trip is a tenth of what a step takes.
  const checking = judge(element)
  await element.fill(value, { timeout: site.timeout, signal: site.signal })
  if (await isHarmless(checking, element)) site.details.note({ value })
  return {}
}

export const type: ActionHandler<ActionValues<'type'>> = async (site, { target, text, delayMs }) => {
  site.details.note({ text: masked(text) })
  const options = { delay: delayMs, timeout: site.timeout, signal: site.signal }
  const element = target === null ? null : await elementOf(site, target)
  const checking = element ? judge(element) : judgeFocus(site)
  if (element) await element.pressSequentially(text, options)
  else await site.page.keyboard.type(text, { delay: delayMs })
  if (await isHarmless(checking, element)) site.details.note({ text })
  return {}
}

export const press: ActionHandler<ActionValues<'press'>> = async (site, { target, key }) => {
  const isText = charactersOf(key) === 1
  site.details.note({ key: isText ? masked(key) : key })
  const element = target === null ? null : await elementOf(site, target)
  const checking = element ? judge(element) : judgeFocus(site)
  if (element) await element.press(key, { timeout: site.timeout, signal: site.signal })
  else await site.page.keyboard.press(key)
  if (!isText || (await isHarmless(checking, element))) site.details.note({ key })
  return {}
}

const charactersOf = (text: string) => Array.from(text).length

/** How many characters it has may be known: people want to see that something was filled in. */
export const masked = (text: string) => maskOf(charactersOf(text))

export const maskOf = (characters: number) => `•••••• (${characters} characters)`

/** Fields for passwords, one-time codes and the numbers of cards, by what browsers go by too. */
const SECRET_HINTS = ['current-password', 'new-password', 'one-time-code', 'cc-number', 'cc-csc']
// A label may stand for any field. A field that shows its password for a moment keeps its hint.
const SECRET = ['input[type=password i]', 'label', ...SECRET_HINTS.map((hint) => `[autocomplete~="${hint}" i]`)]

type Judgement = 'HARMLESS' | 'SECRET' | 'UNKNOWN'

/**
 * Whether what went into the element may be read in the log: not when it was a secret field at any time, whatever the
 * page made of it meanwhile; one that had to be waited for is judged again.
 */
async function isHarmless(first: Promise<Judgement>, element: Locator | null): Promise<boolean> {
  const judged = await first
  return (judged === 'UNKNOWN' && element ? await judge(element) : judged) === 'HARMLESS'
}

/**
 * An element has to be there, and be no secret field, to count as harmless. One question beside the step, for that
 * costs least (measured: two counts of Playwright take three times as long, and "none of these" as a selector would look
 * at each element of the page). A page that has its own `matches` can only unmask what it was told anyway.
 */
async function judge(element: Locator): Promise<Judgement> {
  const asked = element.evaluateAll((found, secret) => found.map((one) => one.matches(secret)), SECRET.join(', '))
  const isSecret = await asked.catch((): boolean[] => [])
  return isSecret.includes(true) ? 'SECRET' : isSecret.length === 0 ? 'UNKNOWN' : 'HARMLESS'
}

async function judgeFocus(site: ActionSite): Promise<Judgement> {
  try {
    const script = `(() => {
      let element = document.activeElement
      while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement
      if (!element) return false
      return element.localName === 'iframe' || element.matches(${JSON.stringify(SECRET.join(', '))})
    })()`
    return (await site.page.evaluate(script)) ? 'SECRET' : 'HARMLESS'
  } catch {
    return 'UNKNOWN'
  }
}
