/**
 * What Playwright's errors are known by: their texts, for they have no codes. Each pattern is held by a test that provokes
 * the error (playwright-errors.test.ts), and fails when a new version says it otherwise.
 */
export const PLAYWRIGHT_ERRORS = {
  timeout: [/Timeout \d+ms exceeded/],
  crashed: [/(target|page|context|browser)[^\n]*crashed/i],
  closed: [/(target|page|context|browser)[^\n]*closed/i, /Frame was detached/i],
  /** Of a navigation: another document was shown meanwhile. */
  interrupted: [/interrupted by another navigation/],
  /** Of a navigation that became a download. */
  download: [/Download is starting/],
  /** Of `innerText` of an SVG, say. */
  notHtml: [/not an HTMLElement/],
  /** Of a picture that is too large. */
  noPicture: [/Unable to capture screenshot/],
  /** Of a ref in a frame that is gone. */
  noFrame: [/in aria-ref selector/],
  invalidSelector: [
    /not a valid selector/i,
    /Unexpected token/i,
    /Unknown engine/i,
    /while parsing selector/i,
    /while parsing css selector/i,
    /Unsupported token/i,
    /Malformed selector/i,
  ],
  invalidValue: [/Unknown key/i, /Cannot type text into input/i, /multiple file input/i, /Page range/i, /paper/i],
  notActionable: [
    /Element is not an? /i,
    /not a checkbox or radio/i,
    /Clicking the checkbox did not change/i,
    /Element is outside of the viewport/i,
    /Node is not an? /i,
    /cannot be filled/i,
  ],
  /** In the log of a timeout: there is such an element. */
  found: [/resolved to/, /intercepts pointer events/],
  optionDisabled: [/option being selected is not enabled/],
  optionMissing: [/did not find some options/],
} as const satisfies Record<string, readonly RegExp[]>

/** Part of the script by which Playwright looks at the input before it gives it files, in every version. */
export const LOOKS_AT_INPUT = 'Node is not an HTMLInputElement'

/** Before what the error says: the name of the call, and what threw it. */
const CALL = /^[a-zA-Z]+\.[a-zA-Z]+: /
const THROWN = /^(Error|Protocol error \([\w.]+\)): /
/** In the log of a timeout: elements that cover the one in question, and what they are part of. */
const COVER = /-\s+(<[^\n]*?>[^\n]*?)\s+(?:from (<[^\n]*>) subtree )?intercepts pointer events/g
const HINDRANCE = /element is (not visible|not enabled|not stable|not editable|outside of the viewport)/g

/** The text of whatever was thrown. */
const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Whether it is one of these errors. */
export function isPlaywrightError(error: unknown, ...kinds: (keyof typeof PLAYWRIGHT_ERRORS)[]): boolean {
  const text = textOf(error)
  return kinds.some((kind) => PLAYWRIGHT_ERRORS[kind].some((pattern) => pattern.test(text)))
}

/** The browser's own words for a network error, such as net::ERR_NAME_NOT_RESOLVED; null: it is none. */
export const netErrorIn = (error: unknown): string | null => /net::ERR_\w+/.exec(textOf(error))?.[0] ?? null

/** The selector that the browser refused in a script; null: it refused none. */
export const refusedSelectorIn = (error: unknown): string | null =>
  /'([^']*)' is not a valid selector/.exec(textOf(error))?.[1] ?? null

/** What the error says, without the name of the call. */
export const withoutCall = (error: unknown): string => textOf(error).replace(CALL, '')

/** Likewise, without what threw it, and without the log behind it. */
export const firstLineOf = (error: unknown): string => withoutCall(error).split('\n', 1)[0]!.replace(THROWN, '')

/** What covered an element last, by the log of a timeout; null: nothing did. */
export function coverIn(error: unknown): string | null {
  const last = [...textOf(error).matchAll(COVER)].at(-1)
  return last ? (last[2] ?? last[1] ?? '') : null
}

/** What an element was last that it must not be, by the log of a timeout; null: nothing. */
export function hindranceIn(error: unknown): string | null {
  return [...textOf(error).matchAll(HINDRANCE)].at(-1)?.[1] ?? null
}
