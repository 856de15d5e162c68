import { EGRESS_INPUT_RULES } from '../../domain/sessions/egress-input.ts'
import { SESSION_INPUT_RULES } from '../../domain/sessions/session-input.ts'
import { terminateSession, terminateSessions, updateSession } from '../../domain/sessions/session-requests.ts'
import { HAR_LIMITS, type RecordingKind } from '../../ports/artifact.ts'
import { builder } from '../base/builder.ts'
import { COST } from '../base/complexity.ts'
import { EgressModeEnum, ProxyInput } from './egress.ts'
import { describedValues } from '../base/enum-values.ts'
import { givenMembers, NEEDS } from '../base/needs.ts'
import { SessionFilterInput } from './session-list.ts'
import { BrowserEngineEnum, requireSession, Session, sessionUuid } from './session.ts'
import { ViewportInput } from '../base/viewport-input.ts'

const StartWaitEnum = builder.enumType('StartWait', {
  description: 'How far a session shall be before startSession answers.',
  values: describedValues<'CREATING' | 'RUNNING' | 'LOADED'>({
    CREATING: 'It exists: answers at once.',
    RUNNING: 'Its browser runs.',
    LOADED:
      'The page of initialPrompt has loaded, or has failed to, and the screenshot that was asked for is taken. As RUNNING where there is neither.',
  }),
})

const RecordingKindEnum = builder.enumType('RecordingKind', {
  description: 'What a session can record beside its log.',
  values: describedValues<RecordingKind>({
    VIDEO:
      'A WebM video of each page, its longer side at most 1280 pixels. Takes most of a core while a page moves much.',
    TRACE: 'A trace for the trace viewer: each action with the page before and after it, console and network.',
    HAR: `An HTTP archive of all requests, with the bodies of the first ${HAR_LIMITS.requests}, of ${HAR_LIMITS.bodyBytes / 1024 / 1024} MiB in all at most; what comes then, and what a browser that crashes had seen, is listed without bodies.`,
  }),
})

const StartSessionInput = builder.inputType('StartSessionInput', {
  description:
    'What a new session shall be. Null means the same as leaving a member out. Broken rules are reported together: BAD_USER_INPUT with issues of path, code and message, at most 20, and hasMoreIssues: true where there are more.',
  fields: (t) => ({
    idempotencyKey: t.string({
      description: `Per owner: the same key with the same input returns the session that it made before; with another input it is BAD_USER_INPUT. ${SESSION_INPUT_RULES.idempotencyKey}`,
    }),
    name: t.string({ description: `For people, and to filter by. ${SESSION_INPUT_RULES.name}` }),
    metadata: t.field({
      type: 'JSON',
      description: `To be kept with the session, and to filter by. ${SESSION_INPUT_RULES.metadata}`,
    }),
    browser: t.field({ type: BrowserEngineEnum, defaultValue: 'CHROMIUM', description: 'Which browser.' }),
    viewport: t.field({
      type: ViewportInput,
      defaultValue: { width: 1920, height: 1080 },
      description: `Of every page. ${SESSION_INPUT_RULES.viewport}`,
    }),
    userAgent: t.string({
      description: `The User-Agent of every request. Absent: the browser’s own. ${SESSION_INPUT_RULES.userAgent}`,
    }),
    locale: t.string({
      description: `The language that pages are told. Absent: the browser’s own. ${SESSION_INPUT_RULES.locale}`,
    }),
    timezone: t.string({
      description: `The time zone that pages are told. Absent: the server’s own. ${SESSION_INPUT_RULES.timezone}`,
    }),
    extraHeaders: t.field({
      type: 'JSON',
      description: `Headers to send with every request. ${SESSION_INPUT_RULES.extraHeaders}`,
    }),
    keepAlive: t.boolean({
      defaultValue: false,
      description: 'True: no idle timeout. maxDurationSeconds applies all the same.',
    }),
    idleTimeoutSeconds: t.int({
      defaultValue: 600,
      description: `Seconds without activity after which the session ends. ${SESSION_INPUT_RULES.idleTimeoutSeconds}`,
    }),
    maxDurationSeconds: t.int({
      defaultValue: 3600,
      description: `Seconds after which the session ends, whatever happens. ${SESSION_INPUT_RULES.maxDurationSeconds}`,
    }),
    initialPrompt: t.string({
      description: `A URL to open at once, or a task in words for the model of the server (AI_NOT_CONFIGURED where there is none), which waits until the session runs. Unless keepAlive, the session ends with its initial task: CLOSED / TASK_COMPLETED, or FAILED / TASK_FAILED; one whose task was cancelled stays. ${SESSION_INPUT_RULES.initialPrompt}`,
    }),
    profileId: t.id({
      description:
        'A profile of the caller: the session starts with its cookies, local storage and IndexedDB. One that does not exist is BAD_USER_INPUT with the issue NOT_FOUND; one encrypted with another key is PROFILE_UNREADABLE.',
    }),
    record: t.field({
      type: [RecordingKindEnum],
      defaultValue: [],
      description:
        'What to record from the first moment on; each becomes an artifact when the session ends. A kind that cannot be recorded here, such as VIDEO without ffmpeg, is BAD_USER_INPUT with the issue UNAVAILABLE.',
    }),
    egress: t.field({
      type: EgressModeEnum,
      description:
        'Which hosts its pages can reach. Absent: as the server is configured (TABWIRE_EGRESS). A wider mode than that is BAD_USER_INPUT with the issue FORBIDDEN_VALUE.',
    }),
    allowedHosts: t.stringList({
      description: `The only hosts that its pages can reach, among those that egress allows; with [], none. Absent: all of those. ${EGRESS_INPUT_RULES.allowedHosts}`,
    }),
    proxy: t.field({
      type: ProxyInput,
      description:
        'A proxy for all its connections. Absent: none. What egress and allowedHosts refuse is not asked of it.',
    }),
    screenshot: t.boolean({
      defaultValue: false,
      description:
        'True: take one when the page of initialPrompt has loaded, or at once where there is none: an Action of the type SCREENSHOT, with its artifact.',
    }),
  }),
})

const UpdateSessionInput = builder.inputType('UpdateSessionInput', {
  description:
    'What shall change. Absent: unchanged. Null: cleared, where null is allowed. Rules that are broken are reported all together, as BAD_USER_INPUT.',
  fields: (t) => ({
    name: t.string({ description: `For people, and to filter by. Null clears it. ${SESSION_INPUT_RULES.name}` }),
    metadata: t.field({
      type: 'JSON',
      description: `Replaced whole. Null makes it {}. ${SESSION_INPUT_RULES.metadata}`,
    }),
    viewport: t.field({
      type: ViewportInput,
      description: `Of every page; one that hangs takes it when it answers again. Cannot be null. ${SESSION_INPUT_RULES.viewport}`,
    }),
    keepAlive: t.boolean({ description: 'True: no idle timeout. Cannot be null.' }),
    idleTimeoutSeconds: t.int({
      description: `Seconds without activity after which the session ends. Cannot be null. ${SESSION_INPUT_RULES.idleTimeoutSeconds}`,
    }),
    maxDurationSeconds: t.int({
      description: `Seconds from its start after which the session ends. Cannot be null. ${SESSION_INPUT_RULES.maxDurationSeconds}`,
    }),
  }),
})

/** What startSession is told of a session, or sets to its default. */
const GIVEN_TO_START = [
  'name',
  'metadata',
  'viewport',
  'userAgent',
  'locale',
  'timezone',
  'keepAlive',
  'idleTimeoutSeconds',
  'maxDurationSeconds',
  'egress',
  'allowedHosts',
  'proxy',
]

builder.mutationFields((t) => ({
  startSession: t.field({
    type: Session,
    authScopes: NEEDS.write,
    grantScopes: GIVEN_TO_START,
    description:
      'Starts a session. Answers when it has reached waitUntil, or has ended (as data), or after 30 s with the session as it stands. Errors: BAD_USER_INPUT, CAPACITY_EXCEEDED and STORAGE_FULL (both with retryAfterSeconds), AI_NOT_CONFIGURED.',
    extensions: COST.start,
    args: {
      input: t.arg({ type: StartSessionInput, description: 'What it shall be. Absent: the defaults.' }),
      waitUntil: t.arg({ type: StartWaitEnum, defaultValue: 'CREATING', description: 'When to answer.' }),
    },
    resolve: (_, { input, waitUntil }, context) =>
      context.sessions.start(context.require('WRITE').owner, input ?? null, waitUntil ?? 'CREATING', context.signal),
  }),
  terminateSession: t.field({
    type: Session,
    authScopes: NEEDS.write,
    description: 'Ends a session. Idempotent. Its log stays. Errors: NOT_FOUND.',
    extensions: COST.change,
    args: { id: t.arg.id({ required: true, description: 'The id of the session.' }) },
    resolve: (_, { id }, context) =>
      terminateSession(context.sessions, context.require('WRITE').owner, sessionUuid(id)),
  }),
  terminateSessions: t.int({
    authScopes: NEEDS.write,
    description:
      'Ends every live session of the caller that matches, and returns how many there were. At least one member of the filter must be given. Errors: BAD_USER_INPUT.',
    extensions: COST.change,
    args: { filter: t.arg({ type: SessionFilterInput, required: true, description: 'Which sessions are meant.' }) },
    resolve: (_, { filter }, context) => terminateSessions(context.sessions, context.require('WRITE').owner, filter),
  }),
  updateSession: t.field({
    type: Session,
    authScopes: NEEDS.write,
    grantScopes: (_, { input }) => givenMembers(input),
    description:
      'Changes a session that runs, which counts as activity. Errors: NOT_FOUND, SESSION_NOT_RUNNING, BAD_USER_INPUT.',
    extensions: COST.change,
    args: {
      id: t.arg.id({ required: true, description: 'The id of the session.' }),
      input: t.arg({ type: UpdateSessionInput, required: true, description: 'What shall change.' }),
    },
    resolve: (_, { id, input }, context) =>
      updateSession(context.sessions, context.require('WRITE').owner, sessionUuid(id), input),
  }),
}))

builder.subscriptionField('sessionChanged', (t) =>
  t.field({
    type: Session,
    authScopes: NEEDS.read,
    description:
      'With id: the session as it is now, then its changes; completes after its end. Without: each live session of the caller, then every change of any; stays open. Status at once; URL, title, counts and pending requests at most 4 times a second, the last state always. Errors: NOT_FOUND.',
    args: { id: t.arg.id({ description: 'The id of one session. Absent: all of the caller’s.' }) },
    subscribe: async (_, { id }, context) => {
      const { owner } = context.require('READ')
      const session = id == null ? null : await requireSession(context, 'READ', id)
      return context.sessions.changes(owner, session?.id ?? null, context.signal)
    },
    resolve: (session) => session,
  }),
)
