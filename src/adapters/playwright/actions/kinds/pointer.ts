import type { ActionValues } from '../../../../contract/actions/list.ts'
import type { ActionHandler } from '../site/action-site.ts'
import { elementOf } from '../site/locate.ts'

const MODIFIERS = { ALT: 'Alt', CONTROL: 'Control', META: 'Meta', SHIFT: 'Shift' } as const

export const click: ActionHandler<ActionValues<'click'>> = async (site, input) => {
  const { button, count, modifiers, position } = input
  const element = await elementOf(site, input.target)
  if (button !== 'LEFT') site.details.note({ button })
  if (count !== 1) site.details.note({ count })
  if (modifiers.length > 0) site.details.note({ modifiers })
  if (position !== null) site.details.note({ position })
  await element.click({
    button: button.toLowerCase() as 'left' | 'middle' | 'right',
    clickCount: count,
    modifiers: modifiers.map((modifier) => MODIFIERS[modifier]),
    ...(position === null ? {} : { position }),
    timeout: site.timeout,
    signal: site.signal,
  })
  return {}
}

export const hover: ActionHandler<ActionValues<'hover'>> = async (site, { target }) => {
  const element = await elementOf(site, target)
  await element.hover({ timeout: site.timeout, signal: site.signal })
  return {}
}

export const scroll: ActionHandler<ActionValues<'scroll'>> = async (site, { target, x, y }) => {
  const { page, timeout, signal } = site
  if (x !== 0 || y !== 0) site.details.note({ x, y })
  if (target !== null) {
    const element = await elementOf(site, target)
    if (x === 0 && y === 0) {
      await element.scrollIntoViewIfNeeded({ timeout, signal })
      return {}
    }
    await element.hover({ timeout, signal })
  } else {
    const size = page.viewportSize()
    // The wheel turns what is under the mouse: the middle of the page.
    if (size) await page.mouse.move(size.width / 2, size.height / 2)
  }
  await page.mouse.wheel(x, y)
  return {}
}
