import { APICallError, RetryError, StreamProviderError } from 'ai'

/** A vendor's error, in words without secrets, and whether to retry. */
export interface VendorFailure {
  message: string
  mayHelpAgain: boolean
  /** The delay that the vendor requested, in milliseconds; null: none. */
  retryAfterMs: number | null
}

/** The model did not respond in time, or did not stop. */
export class ModelStalled extends Error {}

const CONTEXT_LENGTH =
  /context[ _-]?(length|window)|maximum context|prompt is too long|too many (input )?tokens|input is too long/i
const NO_CREDIT = /insufficient_quota|billing|credit balance|exceeded your current quota/i
const VENDOR_WORDS = 300
const BROKEN_OFF = 'The answer of the model broke off, or was none.'

/** The API key is removed wherever it appears in a vendor's message. */
export function explainFailure(thrown: unknown, apiKey: string | null): VendorFailure {
  const error = RetryError.isInstance(thrown) ? thrown.lastError : thrown
  if (error instanceof ModelStalled) return failure(error.message, true)
  if (APICallError.isInstance(error)) {
    if (error.statusCode !== undefined && error.statusCode >= 300) {
      const said = `${error.message} ${error.responseBody ?? ''}`
      const words = vendorWords(error.message, apiKey)
      return ofStatus(error.statusCode, said, words, waitOf(error.responseHeaders ?? {}))
    }
    // A response that started successfully, with 200.
    if (error.statusCode !== undefined) return failure(BROKEN_OFF, true)
    return failure(`The model’s vendor cannot be reached${reasonOf(error)}: check TABWIRE_AI_BASE_URL.`, true)
  }
  if (StreamProviderError.isInstance(error)) {
    const words = vendorWords(error.message, apiKey)
    const said = `${error.message} ${error.type ?? ''} ${error.code ?? ''}`
    if (error.statusCode !== undefined) return ofStatus(error.statusCode, said, words, null)
    if (CONTEXT_LENGTH.test(said)) return tooLong()
    return failure(`The model’s vendor broke off its answer: ${words}`, true)
  }
  return failure(BROKEN_OFF, true)
}

function ofStatus(status: number, said: string, words: string, retryAfterMs: number | null): VendorFailure {
  if (status === 401) {
    // Vendors quote parts of the key here.
    return failure('The model’s vendor refused the API key (HTTP 401): check TABWIRE_AI_API_KEY.', false)
  }
  if (status === 402 || (status === 429 && NO_CREDIT.test(said))) {
    return failure(`The account at the model’s vendor has no credit left (HTTP ${status}).`, false)
  }
  if (CONTEXT_LENGTH.test(said) && status < 500) return tooLong()
  if (status === 403) {
    return failure(`The model’s vendor does not allow the API key to do this (HTTP 403): ${words}`, false)
  }
  if (status === 404) {
    const check = 'check TABWIRE_AI_MODEL and TABWIRE_AI_BASE_URL'
    return failure(`The model’s vendor has no such model or address (HTTP 404), ${check}: ${words}`, false)
  }
  if (status === 429) {
    return { message: 'The model’s vendor limits requests (HTTP 429).', mayHelpAgain: true, retryAfterMs }
  }
  const mayHelpAgain = status >= 500 || status === 408 || status === 409
  return { message: `The model’s vendor failed (HTTP ${status}): ${words}`, mayHelpAgain, retryAfterMs }
}

const failure = (message: string, mayHelpAgain: boolean): VendorFailure => ({
  message,
  mayHelpAgain,
  retryAfterMs: null,
})

const tooLong = () => failure('The task has become longer than what the model takes (its context length).', false)

/** One line of a vendor's message, bounded. */
function vendorWords(message: string, apiKey: string | null): string {
  const kept = apiKey ? message.replaceAll(apiKey, '…') : message
  const line = kept.replace(/\s+/g, ' ').trim().toWellFormed()
  if (line.length > VENDOR_WORDS) return `${line.slice(0, VENDOR_WORDS).toWellFormed()}…`
  // Followed by further sentences.
  return line === '' ? 'it said nothing.' : /[.!?…]$/.test(line) ? line : `${line}.`
}

/** System error code, such as ECONNREFUSED. */
function reasonOf(error: Error): string {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if ('code' in cause && typeof cause.code === 'string' && /^[A-Z_]+$/.test(cause.code)) return ` (${cause.code})`
  }
  return ''
}

/** From retry-after-ms, or from Retry-After: seconds, or a date. */
function waitOf(headers: Readonly<Record<string, string>>): number | null {
  const exact = Number(headers['retry-after-ms'] ?? Number.NaN)
  if (Number.isFinite(exact) && exact >= 0) return exact
  const given = headers['retry-after']
  if (given === undefined) return null
  const seconds = Number(given)
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(given) - Date.now()
  return Number.isFinite(ms) ? Math.max(0, ms) : null
}
