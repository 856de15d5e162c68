import type { Locator } from 'playwright'
import type { ActionValues } from '../../../../contract/actions/list.ts'
import type { ActionHandler } from '../site/action-site.ts'
import { elementOf } from '../site/locate.ts'
import { lookAt } from '../site/secret-typing.ts'
import { charactersOf, judge, judgeFocus, maskOf, type Judgement } from '../site/secret-fields.ts'

export const fill: ActionHandler<ActionValues<'fill'>> = async (site, { target, value }) => {
  // Until it is known what kind of field it is.
  site.details.note({ value: masked(value) })
  const element = await elementOf(site, target)
  const takeBack = site.expectSecret(value)
  // Beside the filling, not before: a round trip is a tenth of what a step takes.
  const checking = judge(element)
  try {
    await element.fill(value, { timeout: site.timeout, signal: site.signal })
  } catch (error) {
    // It was not filled in, and whether the field is secret may never be known.
    if ((await checking) !== 'SECRET') takeBack()
    throw error
  }
  if (await isHarmless(checking, element, takeBack)) site.details.note({ value })
  return {}
}

export const type: ActionHandler<ActionValues<'type'>> = async (site, { target, text, delayMs }) => {
  site.details.note({ text: masked(text) })
  const options = { delay: delayMs, timeout: site.timeout, signal: site.signal }
  const element = target === null ? null : await elementOf(site, target)
  const takeBack = site.expectSecret(text)
  const checking = element ? judge(element) : judgeFocus(site.page)
  if (element) await element.pressSequentially(text, options)
  else await site.page.keyboard.type(text, { delay: delayMs })
  if (await isHarmless(checking, element, takeBack)) site.details.note({ text })
  return {}
}

export const press: ActionHandler<ActionValues<'press'>> = async (site, { target, key }) => {
  const typed = textOf(key)
  site.details.note({ key: typed === '' ? key : masked(key) })
  const element = target === null ? null : await elementOf(site, target)
  const checking = element ? judge(element) : judgeFocus(site.page)
  if (typed === '') site.typing.moved(site.pageId)
  else await site.typing.typed(site.pageId, typed, element ? lookAt(element) : undefined)
  if (element) await element.press(key, { timeout: site.timeout, signal: site.signal })
  else await site.page.keyboard.press(key)
  if (typed === '' || (await isHarmless(checking, element))) site.details.note({ key })
  return {}
}

/** What the key types; empty: nothing that is known. */
function textOf(key: string): string {
  const [, character] = /^(?:Shift\+)?(.)$/su.exec(key) ?? []
  return character ?? ''
}

const masked = (text: string) => maskOf(charactersOf(text))

/**
 * Whether what went into the element may be read in the log: not when it was a secret field at any time, whatever the
 * page made of it meanwhile; one that had to be waited for is judged again. `takeBack`: see ActionSite.expectSecret.
 */
async function isHarmless(
  first: Promise<Judgement>,
  element: Locator | null,
  takeBack: () => void = () => {},
): Promise<boolean> {
  const judged = await first
  const is = (judged === 'UNKNOWN' && element ? await judge(element) : judged) === 'HARMLESS'
  if (is) takeBack()
  return is
}
