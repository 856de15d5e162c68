import { errors } from 'playwright'
import { ACTION_LIMITS, type ActionError, type ActionErrorCode } from '../../../ports/action.ts'
import { cutText } from '../cdp/cut-text.ts'
import { ActionFailure } from './action-failure.ts'

const CRASHED = /(target|page|context|browser)[^\n]*crashed/i
const CLOSED = /(target|page|context|browser)[^\n]*closed|Frame was detached/i
const INVALID_SELECTOR =
  /not a valid selector|Unexpected token|Unknown engine|while parsing (css )?selector|Unsupported token|Malformed selector|invalid selector|Expected selector/i
const NOT_ACTIONABLE =
  /Element is not an? |Element is not a <select>|not a checkbox or radio|Clicking the checkbox did not change|Element is outside of the viewport|not editable|Node is not an? |did not change its state|Input of type .* cannot be filled|cannot be filled/i
const INVALID_VALUE =
  /Unknown key|Malformed value|Cannot type text into input|multiple file input|Non-multiple file input|Page range|paper/i

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
  const text = error instanceof Error ? error.message : String(error)
  if (error instanceof errors.TimeoutError || /Timeout \d+ms exceeded/.test(text)) {
    return explainTimeout(text, subject, timeoutMs)
  }
  if (CRASHED.test(text)) return { code: 'PAGE_CLOSED', message: 'The page has crashed: close it and open another.' }
  if (CLOSED.test(text)) return { code: 'PAGE_CLOSED', message: 'The page closed meanwhile.' }
  const line = firstLine(text)
  if (INVALID_SELECTOR.test(text)) return { code: 'INVALID_INPUT', message: `The selector is not valid: ${line}` }
  if (INVALID_VALUE.test(text)) return { code: 'INVALID_INPUT', message: line }
  if (NOT_ACTIONABLE.test(text)) return { code: 'NOT_ACTIONABLE', message: `${subject ?? 'The element'}: ${line}` }
  const [net] = /net::ERR_\w+/.exec(text) ?? []
  if (net !== undefined) return { code: 'NAVIGATION_FAILED', message: `The page could not be loaded: ${net}.` }
  return { code: 'NOT_ACTIONABLE', message: line }
}

/** The log of what Playwright tried tells what it was waiting for last. */
function explainTimeout(
  text: string,
  subject: string | null,
  timeoutMs: number,
): { code: ActionErrorCode; message: string } {
  const what = subject ?? 'The page'
  const time = `${timeoutMs} ms`
  if (subject !== null && !/resolved to|intercepts pointer events/.test(text)) {
    return { code: 'NOT_FOUND', message: `${what}: no such element came within ${time}.` }
  }
  const covers = [
    ...text.matchAll(/-\s+(<[^\n]*?>[^\n]*?)\s+(?:from (<[^\n]*>) subtree )?intercepts pointer events/g),
  ].at(-1)
  if (covers) {
    return { code: 'NOT_ACTIONABLE', message: `${what} is covered by ${withoutValues(covers[2] ?? covers[1] ?? '')}.` }
  }
  const last = [
    ...text.matchAll(/element is (not visible|not enabled|not stable|not editable|outside of the viewport)/g),
  ].at(-1)
  if (last) return { code: 'NOT_ACTIONABLE', message: `${what} is there, but was ${last[1]} for ${time}.` }
  if (/option being selected is not enabled/.test(text)) {
    return { code: 'NOT_ACTIONABLE', message: `The option of ${what} was not enabled for ${time}.` }
  }
  if (/did not find some options/.test(text)) {
    return { code: 'NOT_FOUND', message: `${what} has no such option; it was waited for ${time}.` }
  }
  return { code: 'TIMEOUT', message: `${what}: not done within ${time}.` }
}

/** What fields hold may be secret. */
const withoutValues = (html: string) => html.replace(/\svalue="[^"]*"/g, '').slice(0, 300)

/** Without the name of the call, and without the log behind it. */
function firstLine(text: string): string {
  const [line = ''] = text.split('\n')
  return line.replace(/^[a-zA-Z]+\.[a-zA-Z]+: /, '').replace(/^(Error|Protocol error \([\w.]+\)): /, '')
}
