/**
 * Texts that identify Playwright's errors, which have no codes. For each pattern, a test provokes the error
 * (playwright-errors.test.ts) and fails when a new version changes the text.
 */
export const PLAYWRIGHT_ERRORS = {
  timeout: [/Timeout \d+ms exceeded/],
  crashed: [/(target|page|context|browser)[^\n]*crashed/i],
  closed: [/(target|page|context|browser)[^\n]*closed/i, /Frame was detached/i],
  /** Navigation: another document was shown meanwhile. */
  interrupted: [/interrupted by another navigation/],
  /** Navigation: it became a download. */
  download: [/Download is starting/],
  /** Of `innerText` of an SVG, say. */
  notHtml: [/not an HTMLElement/],
  /** Screenshot: it is too large. */
  noPicture: [/Unable to capture screenshot/],
  /** Ref in a frame that is gone. */
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
  /** In the log of a timeout: the element exists. */
  found: [/resolved to/, /intercepts pointer events/],
  optionDisabled: [/option being selected is not enabled/],
  optionMissing: [/did not find some options/],
} as const satisfies Record<string, readonly RegExp[]>

/** Part of the script by which Playwright checks an input before it sets its files, in every version. */
export const LOOKS_AT_INPUT = 'Node is not an HTMLInputElement'

/** Prefix of an error's text: the name of the call, and the type of a thrown error. */
const CALL = /^[a-zA-Z]+\.[a-zA-Z]+: /
const THROWN = /^(Error|Protocol error \([\w.]+\)): /
/** In the log of a timeout: elements that cover the one in question, and what they are part of. */
const COVER = /-\s+(<[^\n]*?>[^\n]*?)\s+(?:from (<[^\n]*>) subtree )?intercepts pointer events/g
const HINDRANCE = /element is (not visible|not enabled|not stable|not editable|outside of the viewport)/g

/** The text of any thrown value. */
const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Whether it is one of these errors. */
export function isPlaywrightError(error: unknown, ...kinds: (keyof typeof PLAYWRIGHT_ERRORS)[]): boolean {
  const text = textOf(error)
  return kinds.some((kind) => PLAYWRIGHT_ERRORS[kind].some((pattern) => pattern.test(text)))
}

/** The browser's network error, such as net::ERR_NAME_NOT_RESOLVED; null: it is none. */
export const netErrorIn = (error: unknown): string | null => /net::ERR_\w+/.exec(textOf(error))?.[0] ?? null

/** The selector that the browser rejected in a script; null: there is none. */
export const refusedSelectorIn = (error: unknown): string | null =>
  /'([^']*)' is not a valid selector/.exec(textOf(error))?.[1] ?? null

/** The text of the error, without the name of the call. */
export const withoutCall = (error: unknown): string => textOf(error).replace(CALL, '')

/** The same, without the type of the thrown error, and without the log after it. */
export const firstLineOf = (error: unknown): string => withoutCall(error).split('\n', 1)[0]!.replace(THROWN, '')

/** What covered an element last, by the log of a timeout; null: nothing did. */
export function coverIn(error: unknown): string | null {
  const last = [...textOf(error).matchAll(COVER)].at(-1)
  return last ? (last[2] ?? last[1] ?? '') : null
}

/** The last state of an element that prevented the action, from the log of a timeout; null: there was none. */
export function hindranceIn(error: unknown): string | null {
  return [...textOf(error).matchAll(HINDRANCE)].at(-1)?.[1] ?? null
}
