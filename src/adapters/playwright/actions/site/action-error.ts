import { errors } from 'playwright'
import { ACTION_LIMITS, type ActionError, type ActionErrorCode } from '../../../../ports/browser/action.ts'
import { cutText } from '../../cdp/protocol/cut-text.ts'
import { BrowserGone, PageCrashed, TargetGone } from '../../cdp/protocol/target-gone.ts'
import { coverIn, firstLineOf, hindranceIn, isPlaywrightError, netErrorIn } from '../../library/playwright-errors.ts'
import { ActionFailure } from './action-failure.ts'

/** What an error of Playwright means to people who see a page only through us. */
export function actionErrorOf(error: unknown, subject: string | null, timeoutMs: number): ActionError {
  const { code, message } = explain(error, subject, timeoutMs)
  return { code, message: cutText(message, ACTION_LIMITS.message) }
}

function explain(
  error: unknown,
  subject: string | null,
  timeoutMs: number,
): { code: ActionErrorCode; message: string } {
  if (error instanceof ActionFailure) return { code: error.code, message: error.message }
  if (error instanceof TargetGone || error instanceof BrowserGone) {
    return { code: 'PAGE_CLOSED', message: 'The page closed meanwhile.' }
  }
  if (error instanceof errors.TimeoutError || isPlaywrightError(error, 'timeout')) {
    return explainTimeout(error, subject, timeoutMs)
  }
  if (error instanceof PageCrashed || isPlaywrightError(error, 'crashed'))
    return { code: 'PAGE_CLOSED', message: 'The page has crashed: close it and open another.' }
  if (isPlaywrightError(error, 'closed')) return { code: 'PAGE_CLOSED', message: 'The page closed meanwhile.' }
  const line = firstLineOf(error)
  if (isPlaywrightError(error, 'invalidSelector'))
    return { code: 'INVALID_INPUT', message: `The selector is not valid: ${line}` }
  if (isPlaywrightError(error, 'invalidValue')) return { code: 'INVALID_INPUT', message: line }
  if (isPlaywrightError(error, 'notActionable'))
    return { code: 'NOT_ACTIONABLE', message: `${subject ?? 'The element'}: ${line}` }
  const net = netErrorIn(error)
  if (net !== null) return { code: 'NAVIGATION_FAILED', message: `The page could not be loaded: ${net}.` }
  return { code: 'NOT_ACTIONABLE', message: line }
}

/** The log of what Playwright tried tells what it was waiting for last. */
function explainTimeout(
  error: unknown,
  subject: string | null,
  timeoutMs: number,
): { code: ActionErrorCode; message: string } {
  const what = subject ?? 'The page'
  const time = `${timeoutMs} ms`
  if (subject !== null && !isPlaywrightError(error, 'found')) {
    return { code: 'NOT_FOUND', message: `${what}: no such element came within ${time}.` }
  }
  const cover = coverIn(error)
  if (cover !== null) {
    return { code: 'NOT_ACTIONABLE', message: `${what} is covered by ${withoutValues(cover)}.` }
  }
  const hindrance = hindranceIn(error)
  if (hindrance !== null)
    return { code: 'NOT_ACTIONABLE', message: `${what} is there, but was ${hindrance} for ${time}.` }
  if (isPlaywrightError(error, 'optionDisabled')) {
    return { code: 'NOT_ACTIONABLE', message: `The option of ${what} was not enabled for ${time}.` }
  }
  if (isPlaywrightError(error, 'optionMissing')) {
    return { code: 'NOT_FOUND', message: `${what} has no such option; it was waited for ${time}.` }
  }
  return { code: 'TIMEOUT', message: `${what}: not done within ${time}.` }
}

/** What fields hold may be secret. */
const withoutValues = (html: string) => html.replace(/\svalue="[^"]*"/g, '').slice(0, 300)
