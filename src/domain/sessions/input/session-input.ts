import { z } from 'zod'
import { setViewport } from '../../../contract/actions/set-viewport.ts'
import {
  defineInput,
  field,
  orDefault,
  orNull,
  type EnumDefinition,
  type FieldValues,
} from '../../../contract/input/input-field.ts'
import type { RecordingKind } from '../../../ports/artifacts/artifact.ts'
import type { Viewport } from '../../../ports/base/viewport.ts'
import { BadUserInput, type InputIssue } from '../../kernel/errors.ts'
import { inputIssues } from '../../kernel/input-issues.ts'
import { CAPTURE_INPUT, type CaptureInput } from './capture-input.ts'
import { EMULATION_FIELDS, emulationIssues, refusePictures, type EmulationInput } from './emulation-input.ts'
import {
  EGRESS_INPUT_RULES,
  EGRESS_MEMBERS,
  EGRESS_MODE,
  egressIssues,
  PROXY_INPUT,
  type EgressInput,
  type ServerEgress,
} from './egress-input.ts'
import { REDACTION_INPUT, type RedactionInput } from './redaction-input.ts'
import { SESSION_INPUT_RULES, SESSION_RULES } from './session-rules.ts'

/** Input for a new session, as received, not validated yet. */
export interface StartSessionInput extends EgressInput, EmulationInput {
  idempotencyKey?: string | null
  name?: string | null
  metadata?: unknown
  browser?: 'CHROMIUM' | null
  viewport?: Viewport | null
  userAgent?: string | null
  locale?: string | null
  timezone?: string | null
  extraHeaders?: unknown
  keepAlive?: boolean | null
  idleTimeoutSeconds?: number | null
  maxDurationSeconds?: number | null
  initialPrompt?: string | null
  record?: readonly RecordingKind[] | null
  capture?: CaptureInput | null
  redact?: RedactionInput | null
  /** UUID. */
  profileId?: string | null
  screenshot?: boolean | null
}

export interface UpdateSessionInput {
  name?: string | null
  metadata?: unknown
  viewport?: Viewport | null
  keepAlive?: boolean | null
  idleTimeoutSeconds?: number | null
  maxDurationSeconds?: number | null
  offline?: boolean | null
}

const VIEWPORT = { width: 1920, height: 1080 }

export const BROWSER_ENGINE: EnumDefinition<'CHROMIUM'> = {
  enumName: 'BrowserEngine',
  description: 'Which browser a session has.',
  values: { CHROMIUM: 'Chromium, without a window.' },
}

const RECORDING_KIND: EnumDefinition<RecordingKind> = {
  enumName: 'RecordingKind',
  description: 'Kind of a recording of a session.',
  values: {
    VIDEO:
      'A WebM video of each page, its longer side at most 1280 pixels. Takes most of a core while a page moves much.',
    TRACE: 'A trace for the trace viewer: each action with the page before and after it, console and network.',
    HAR: 'An HTTP archive: the export of the log that exportLog gives at any time, made when the session ends.',
  },
}

/** Null and absence are equivalent. */
export const START_SESSION_INPUT = defineInput(
  'StartSessionInput',
  'The session to start. Null means the same as omitting a field. Broken rules are reported together: BAD_USER_INPUT with issues of path, code and message, at most 20, and hasMoreIssues: true where there are more.',
  {
    idempotencyKey: field.of(
      'String',
      orNull(SESSION_RULES.idempotencyKey),
      `Per owner: the same key with the same input returns the session that it made before; with another input it is BAD_USER_INPUT. ${SESSION_INPUT_RULES.idempotencyKey}`,
    ),
    name: field.of(
      'String',
      orNull(SESSION_RULES.name),
      `Display name, which filters can match. ${SESSION_INPUT_RULES.name}`,
    ),
    metadata: field.of(
      'JSON',
      orDefault(SESSION_RULES.metadata, {}),
      `Stored with the session, for filtering. ${SESSION_INPUT_RULES.metadata}`,
    ),
    browser: field.of(BROWSER_ENGINE, orDefault(z.literal('CHROMIUM'), 'CHROMIUM'), 'Which browser.', {
      defaultValue: 'CHROMIUM',
    }),
    viewport: field.of(
      setViewport.input,
      orDefault(SESSION_RULES.viewport, VIEWPORT),
      `Of every page. ${SESSION_INPUT_RULES.viewport}`,
      { defaultValue: VIEWPORT },
    ),
    userAgent: field.of(
      'String',
      orNull(SESSION_RULES.userAgent),
      `The User-Agent of every request. Default: the browser’s own. ${SESSION_INPUT_RULES.userAgent}`,
    ),
    locale: field.of(
      'String',
      orNull(SESSION_RULES.locale),
      `Language that pages see. Default: the browser default. ${SESSION_INPUT_RULES.locale}`,
    ),
    timezone: field.of(
      'String',
      orNull(SESSION_RULES.timezone),
      `Time zone that pages see. Default: that of the server. ${SESSION_INPUT_RULES.timezone}`,
    ),
    extraHeaders: field.of(
      'JSON',
      orNull(SESSION_RULES.extraHeaders),
      `Headers to send with every request. ${SESSION_INPUT_RULES.extraHeaders}`,
    ),
    ...EMULATION_FIELDS,
    keepAlive: field.flagOr('True: no idle timeout. maxDurationSeconds applies all the same.', false),
    idleTimeoutSeconds: field.of(
      'Int',
      orDefault(SESSION_RULES.idleTimeoutSeconds, 600),
      `Seconds without activity after which the session ends. ${SESSION_INPUT_RULES.idleTimeoutSeconds}`,
      { defaultValue: 600 },
    ),
    maxDurationSeconds: field.of(
      'Int',
      orDefault(SESSION_RULES.maxDurationSeconds, 3600),
      `Seconds after which the session ends, whatever happens. ${SESSION_INPUT_RULES.maxDurationSeconds}`,
      { defaultValue: 3600 },
    ),
    initialPrompt: field.of(
      'String',
      orNull(SESSION_RULES.initialPrompt),
      `A URL to open at once, or a task in words for the model of the server (AI_NOT_CONFIGURED where there is none), which waits until the session runs. Unless keepAlive, the session ends with its initial task: CLOSED / TASK_COMPLETED, or FAILED / TASK_FAILED; one whose task was cancelled stays. ${SESSION_INPUT_RULES.initialPrompt}`,
    ),
    profileId: field.of(
      'ID',
      orNull(SESSION_RULES.profileId),
      'A profile of the caller: the session starts with its cookies, local storage and IndexedDB. One that does not exist is BAD_USER_INPUT with the issue NOT_FOUND; one encrypted with another key is PROFILE_UNREADABLE.',
    ),
    record: field.of(
      RECORDING_KIND,
      orDefault(SESSION_RULES.record, []),
      'Recordings, from the first moment on; each becomes an artifact when the session ends. A kind that cannot be recorded here, such as VIDEO without ffmpeg, is BAD_USER_INPUT with the issue UNAVAILABLE.',
      { list: true, defaultValue: [] },
    ),
    capture: field.object(
      'Bodies, messages and logged objects that its log records. Default: the defaults of its fields.',
      CAPTURE_INPUT,
    ),
    redact: field.object(
      'Redaction rules of its log, in addition to those of the server. Default: those of the server alone.',
      REDACTION_INPUT,
    ),
    egress: field.of(
      EGRESS_MODE,
      orNull(EGRESS_MEMBERS.egress),
      'Hosts that its pages can reach. Default: the mode of the server (TABWIRE_EGRESS). A wider mode is BAD_USER_INPUT with the issue FORBIDDEN_VALUE.',
    ),
    allowedHosts: field.of(
      'String',
      orNull(EGRESS_MEMBERS.allowedHosts),
      `The only hosts that its pages can reach, among those that egress allows; [] allows none. Default: all of those. ${EGRESS_INPUT_RULES.allowedHosts}`,
      { list: true },
    ),
    proxy: field.of(
      PROXY_INPUT,
      orNull(EGRESS_MEMBERS.proxy),
      'A proxy for all its connections. Default: none. Hosts refused by egress and allowedHosts are not requested from it.',
    ),
    screenshot: field.flagOr(
      'True: take one when the page of initialPrompt has loaded, or at once where there is none: an Action of the type SCREENSHOT, with its artifact.',
      false,
    ),
  },
)

/** Null clears a member that allows it: see parseUpdateSession. */
export const UPDATE_SESSION_INPUT = defineInput(
  'UpdateSessionInput',
  'The changes. Absent: unchanged. Null: cleared, where null is allowed. All violations are reported together, as BAD_USER_INPUT.',
  {
    name: field.of(
      'String',
      SESSION_RULES.name.nullable().optional(),
      `Display name, which filters can match. Null clears it. ${SESSION_INPUT_RULES.name}`,
    ),
    metadata: field.of(
      'JSON',
      SESSION_RULES.metadata.optional(),
      `Replaced whole. Null makes it {}. ${SESSION_INPUT_RULES.metadata}`,
    ),
    viewport: field.of(
      setViewport.input,
      SESSION_RULES.viewport.optional(),
      `Viewport of every page; an unresponsive page applies it once it responds again. Cannot be null. ${SESSION_INPUT_RULES.viewport}`,
    ),
    keepAlive: field.of('Boolean', z.boolean().optional(), 'True: no idle timeout. Cannot be null.'),
    idleTimeoutSeconds: field.of(
      'Int',
      SESSION_RULES.idleTimeoutSeconds.optional(),
      `Seconds without activity after which the session ends. Cannot be null. ${SESSION_INPUT_RULES.idleTimeoutSeconds}`,
    ),
    maxDurationSeconds: field.of(
      'Int',
      SESSION_RULES.maxDurationSeconds.optional(),
      `Seconds from its start after which the session ends. Cannot be null. ${SESSION_INPUT_RULES.maxDurationSeconds}`,
    ),
    offline: field.of(
      'Boolean',
      z.boolean().optional(),
      'True: its pages and workers have no network from now on. False: they have it again. Cannot be null.',
    ),
  },
)

/** Members of an update that null clears, and the resulting values; null for others breaks a rule. */
const CLEARED: Partial<Record<keyof UpdateSessionInput, unknown>> = { name: null, metadata: {} }

export type SessionOptions = FieldValues<typeof START_SESSION_INPUT.fields>
export type SessionChange = FieldValues<typeof UPDATE_SESSION_INPUT.fields>

/** The options of a new session, defaults filled in. Throws BadUserInput with every broken rule. */
export function parseStartSession(
  input: StartSessionInput | null | undefined,
  server: ServerEgress = { mode: 'OPEN', allow: [] },
): SessionOptions {
  const issues = input ? [...egressIssues(input, server), ...emulationIssues(input, VIEWPORT)] : []
  return parse(START_SESSION_INPUT.rule, input ?? {}, issues)
}

/**
 * The changes to a session with this scale; absent members stay unchanged. Throws BadUserInput with every broken rule.
 */
export function parseUpdateSession(input: UpdateSessionInput, deviceScaleFactor = 1): SessionChange {
  const issues: InputIssue[] = []
  const refusal = input.viewport ? refusePictures(input.viewport, deviceScaleFactor) : null
  if (refusal !== null) issues.push({ path: ['input', 'viewport'], code: 'OUT_OF_RANGE', message: refusal })
  const given: Record<string, unknown> = {}
  for (const [member, value] of Object.entries(input)) {
    if (value === undefined) continue
    if (value !== null) given[member] = value
    else if (member in CLEARED) given[member] = CLEARED[member as keyof UpdateSessionInput]
    else issues.push({ path: ['input', member], code: 'REQUIRED', message: 'cannot be cleared' })
  }
  return parse(UPDATE_SESSION_INPUT.rule, given, issues)
}

function parse<S extends z.ZodType>(schema: S, input: unknown, issues: InputIssue[] = []): z.output<S> {
  const parsed = schema.safeParse(input)
  if (parsed.success && issues.length === 0) return parsed.data
  throw new BadUserInput([...issues, ...(parsed.error ? inputIssues(parsed.error, ['input']) : [])])
}
