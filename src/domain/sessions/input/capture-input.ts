import { defineInput, field, type EnumDefinition, type FieldValues } from '../../../contract/input/input-field.ts'
import { DEFAULT_CAPTURE, type CaptureOptions } from '../../../ports/browser/capture.ts'

/** In descending order of what they record. */
const BODY_CAPTURES = ['ALL', 'TEXT', 'NONE'] as const satisfies readonly CaptureOptions['bodies'][]

/** A recorded body must fit into a response, in base64 as well. */
const MAX_BODY_BYTES = 8 * 1024 * 1024

export const BODY_CAPTURE: EnumDefinition<CaptureOptions['bodies']> = {
  enumName: 'BodyCapture',
  description: 'Which bodies of requests and responses a session records.',
  values: {
    NONE: 'None.',
    TEXT: 'JSON, forms, text, HTML and XML of XHR, fetch and documents, and any text of a request that failed.',
    ALL: 'Every body, binary ones included.',
  },
}

/** Limits of what is recorded in addition to the facts of each event. */
export const CAPTURE_INPUT = defineInput(
  'CaptureInput',
  'Content of requests, WebSocket messages and console calls that a session records.',
  {
    bodies: field.choiceOr(
      'Bodies of requests and responses. The server may record less (TABWIRE_CAPTURE_BODIES): see Session.capture.',
      BODY_CAPTURE,
      DEFAULT_CAPTURE.bodies,
    ),
    maxBodyBytes: field.wholeNumberOr(
      'Maximum bytes recorded of one body.',
      DEFAULT_CAPTURE.maxBodyBytes,
      1,
      MAX_BODY_BYTES,
    ),
    webSocketMessages: field.flagOr('Messages of WebSockets and of event streams.', DEFAULT_CAPTURE.webSocketMessages),
    consoleArguments: field.flagOr('Arguments of console calls, as data.', DEFAULT_CAPTURE.consoleArguments),
  },
)

/** As received, not validated yet. */
export type CaptureInput = { [Member in keyof CaptureOptions]?: CaptureOptions[Member] | null }

/** The recording options, limited by those of the server. */
export function captureOf(
  given: FieldValues<typeof CAPTURE_INPUT.fields> | null,
  ceiling: CaptureOptions['bodies'],
): CaptureOptions {
  const wanted = given ?? DEFAULT_CAPTURE
  const bodies = BODY_CAPTURES[Math.max(BODY_CAPTURES.indexOf(wanted.bodies), BODY_CAPTURES.indexOf(ceiling))]!
  return { ...wanted, bodies }
}

/** For a session from before these options existed. */
export const NO_CAPTURE: CaptureOptions = {
  bodies: 'NONE',
  maxBodyBytes: 0,
  webSocketMessages: false,
  consoleArguments: false,
}
