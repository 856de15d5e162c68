import type { Locator } from 'playwright'
import type { ActionValues } from '../../../ports/actions/list.ts'
import type { ActionHandler, ActionSite } from './action-site.ts'
import { elementOf } from './locate.ts'

export const fill: ActionHandler<ActionValues<'fill'>> = async (site, { target, value }) => {
  // Until it is known what kind of field it is.
  site.details.note({ value: masked(value) })
  const element = await elementOf(site, target)
  // Beside the filling, not before: a round trip is a tenth of what a step takes.
  const checking = isSecretField(element, site)
  await element.fill(value, { timeout: site.timeout, signal: site.signal })
  if (!(await checking)) site.details.note({ value })
  return {}
}

export const type: ActionHandler<ActionValues<'type'>> = async (site, { target, text, delayMs }) => {
  site.details.note({ text: masked(text) })
  const options = { delay: delayMs, timeout: site.timeout, signal: site.signal }
  const element = target === null ? null : await elementOf(site, target)
  const checking = element ? isSecretField(element, site) : isFocusSecret(site)
  if (element) await element.pressSequentially(text, options)
  else await site.page.keyboard.type(text, { delay: delayMs })
  if (!(await checking)) site.details.note({ text })
  return {}
}

export const press: ActionHandler<ActionValues<'press'>> = async (site, { target, key }) => {
  const isText = charactersOf(key) === 1
  site.details.note({ key: isText ? masked(key) : key })
  const element = target === null ? null : await elementOf(site, target)
  const checking = !isText ? false : element ? isSecretField(element, site) : isFocusSecret(site)
  if (element) await element.press(key, { timeout: site.timeout, signal: site.signal })
  else await site.page.keyboard.press(key)
  if (!(await checking)) site.details.note({ key })
  return {}
}

const charactersOf = (text: string) => Array.from(text).length

/** How many characters it has may be known: people want to see that something was filled in. */
export const masked = (text: string) => `•••••• (${charactersOf(text)} characters)`

/** Runs in the page. Fields for passwords, one-time codes and the numbers of cards, by what browsers go by too. */
export function holdsSecret(element: Element): boolean {
  const control = element instanceof HTMLLabelElement ? (element.control ?? element) : element
  if (control.localName !== 'input') return false
  const hint = (control.getAttribute('autocomplete') ?? '').toLowerCase().split(/\s+/)
  return (
    (control as HTMLInputElement).type === 'password' ||
    // A field that shows its password for a moment remains one.
    hint.some((word) => ['current-password', 'new-password', 'one-time-code', 'cc-number', 'cc-csc'].includes(word))
  )
}

/** Whoever cannot be asked is taken for a secret one. */
async function isSecretField(element: Locator, site: ActionSite): Promise<boolean> {
  return element.evaluate(holdsSecret, undefined, { timeout: site.timeout }).catch(() => true)
}

async function isFocusSecret(site: ActionSite): Promise<boolean> {
  try {
    // A string, as the page has to know both functions.
    const script = `(() => {
      let element = document.activeElement
      while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement
      if (!element) return false
      return element.localName === 'iframe' || (${holdsSecret.toString()})(element)
    })()`
    return Boolean(await site.page.evaluate(script))
  } catch {
    return true
  }
}
