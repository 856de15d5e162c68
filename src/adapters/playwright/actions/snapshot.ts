import type { Locator, Page } from 'playwright'
import type { Observation } from '../../../ports/browser/action.ts'
import { MASK, secretsOf } from './site/secret-fields.ts'

/** Of a page, or of an element of it: the snapshot with refs, without what its secret fields hold. */
export async function takeSnapshot(page: Page, element: Locator | null, signal: AbortSignal): Promise<string> {
  const options = { mode: 'ai', timeout: 0, signal } as const
  const text = await (element ? element.ariaSnapshot(options) : page.ariaSnapshot(options))
  if (!FILLED_FIELD.test(text)) return text
  const secrets = (await secretsOf(page)).flatMap(spellings)
  // Whole values only: a short password must not riddle the text.
  return secrets.reduce((shown, secret) => shown.replaceAll(`: ${secret}\n`, `: ${MASK}\n`), `${text}\n`).slice(0, -1)
}

/** A field with something in or below its line; most pages that are looked at have none, and need not be asked more. */
const FILLED_FIELD = /^\s*- '?(textbox|searchbox|combobox|spinbutton)\b.*:/m

/** As YAML may write a value. */
const spellings = (value: string) => [value, JSON.stringify(value), `'${value.replaceAll("'", "''")}'`]

/** Cut at the end of a line, with a line that says so. */
export function cutSnapshot(text: string, maxCharacters: number): Pick<Observation, 'snapshot' | 'truncated'> {
  if (text.length <= maxCharacters) return { snapshot: text, truncated: 0 }
  const lineEnd = text.lastIndexOf('\n', maxCharacters)
  const kept = text.slice(0, lineEnd > 0 ? lineEnd : maxCharacters)
  const truncated = text.length - kept.length
  return {
    snapshot: `${kept}\n# ${truncated} more characters are cut: narrow the observation with a target`,
    truncated,
  }
}
