import { LOG_PAGE_BOUNDS } from '../../domain/log/reading/log-reader.ts'
import {
  ACTION_LIMITS,
  type ActionError,
  type ActionErrorCode,
  type ActionOrigin,
  type ActionType,
} from '../../ports/browser/action.ts'
import { ACTION_KINDS } from '../../contract/actions/list.ts'
import { UPLOADED_ARTIFACTS } from '../../contract/actions/upload.ts'
import { ActionInput } from '../base/action-input.ts'
import { Artifact, findArtifact } from '../artifacts/artifact.ts'
import { builder } from '../base/builder.ts'
import { connectionOf } from '../base/connection.ts'
import { COST } from '../base/complexity.ts'
import { describedValues } from '../base/enum-values.ts'
import { encodeGlobalId, uuidOf } from '../../contract/global-id.ts'
import { Cost } from '../base/model-cost.ts'
import { NEEDS } from '../base/needs.ts'
import { entryType, logConnectionPage, logPageArguments, type EntryNode } from '../sessions/session-event.ts'
import { Session, sessionUuid } from '../sessions/session.ts'

const ActionTypeEnum = builder.enumType('ActionType', {
  description: 'The kinds of actions, as in ActionInput.',
  values: describedValues(
    Object.fromEntries(Object.values(ACTION_KINDS).map(({ type, description }) => [type, description])) as Record<
      ActionType,
      string
    >,
  ),
})

const ActionOriginEnum = builder.enumType('ActionOrigin', {
  description: 'Origin of an action.',
  values: describedValues<ActionOrigin>({
    API: 'A client of this API: runActions, or the screenshot that startSession takes.',
    TASK: 'A task in words.',
    CLIENT:
      'A client of the browser’s protocol, such as Playwright or Puppeteer: as far as its commands show. details has the position of a click, not its element; typed text is masked.',
  }),
})

export const ActionErrorCodeEnum = builder.enumType('ActionErrorCode', {
  description: 'Why a step failed.',
  values: describedValues<ActionErrorCode>({
    INVALID_INPUT: 'The input is invalid for the page: an invalid selector, an unknown key.',
    TIMEOUT: 'It was not done within timeoutMs, or the whole request not within its own limit.',
    NOT_FOUND: 'Element, option, page or artifact not found.',
    NOT_ACTIONABLE: 'The element is there, but hidden, disabled, covered, or of a kind that cannot do this.',
    NAVIGATION_FAILED: 'The page could not be loaded.',
    NAVIGATION_INTERRUPTED:
      'Another navigation of the page, such as one that a script of the page before it had started, replaced that of the step. finalUrl in details is where the page is now. The step can be run again.',
    BLOCKED: 'An address that is never opened, or that the egress of the session does not allow.',
    STALE_REF: 'The element of the ref is no longer there: observe the page again.',
    SCRIPT_ERROR: 'The script threw, or its result is too large.',
    PAGE_CLOSED: 'The page closed or crashed, or none is open.',
    SESSION_ENDED: 'The session ended before the step was done.',
    CANCELLED: 'The client went away, or the task was stopped, before the step began.',
    SKIPPED: 'A step before it failed.',
    STORAGE_FULL: 'There is no room for the file that the step made.',
    STORAGE_UNAVAILABLE: 'The artifact store cannot be used now.',
    QUOTA_EXCEEDED: 'The artifacts of the owner would take more than they may.',
  }),
})

const ActionErrorType = builder.objectRef<ActionError>('ActionError').implement({
  authScopes: NEEDS.readOrWrite,
  description: 'Why a step failed.',
  fields: (t) => ({
    code: t.expose('code', {
      authScopes: NEEDS.readOrWrite,
      type: ActionErrorCodeEnum,
      description: 'Stable, for programs.',
    }),
    message: t.exposeString('message', {
      authScopes: NEEDS.read,
      description: `Error message: what was waited for, what covered the element, the final URL and status. At most ${ACTION_LIMITS.message} characters.`,
    }),
  }),
})

const Action = entryType(
  'ACTION',
  'An action on a page by a client, a person or a task, successful or not. A failure is data: success is false, error has the reason. A key without READ does not see what comes from the page: details, result, artifact, the message of error, cost.',
  NEEDS.readOrWrite,
)

builder.objectFields(Action, (t) => ({
  type: t.field({
    authScopes: NEEDS.readOrWrite,
    type: ActionTypeEnum,
    description: 'Kind of the action.',
    resolve: ({ entry }) => entry.data.type,
  }),
  origin: t.field({
    authScopes: NEEDS.readOrWrite,
    type: ActionOriginEnum,
    description: 'Origin of the action.',
    resolve: ({ entry }) => entry.data.origin,
  }),
  pageId: t.id({
    authScopes: NEEDS.readOrWrite,
    nullable: true,
    description: 'The page that it acted on, or opened, as in Session.pages. Null when there was none.',
    resolve: ({ entry }) => entry.data.pageId,
  }),
  startedAt: t.field({
    authScopes: NEEDS.readOrWrite,
    type: 'DateTime',
    description: 'When it began; `at` is when it was done.',
    resolve: ({ entry }) => entry.data.startedAt,
  }),
  durationMs: t.int({
    authScopes: NEEDS.readOrWrite,
    description: 'Milliseconds that it took.',
    resolve: ({ entry }) => entry.data.durationMs,
  }),
  success: t.boolean({
    authScopes: NEEDS.readOrWrite,
    description: 'Whether it was done.',
    resolve: ({ entry }) => entry.data.success,
  }),
  error: t.field({
    authScopes: NEEDS.readOrWrite,
    type: ActionErrorType,
    nullable: true,
    description: 'Why it failed. Null when it was done.',
    resolve: ({ entry }) => entry.data.error,
  }),
  details: t.field({
    authScopes: NEEDS.read,
    type: 'JSON',
    description: `An object: what it was given and how it went. What went into password fields is masked; texts are cut at ${ACTION_LIMITS.detail} characters. {} for a step that was not taken.`,
    resolve: ({ entry }) => entry.data.details,
  }),
  result: t.field({
    authScopes: NEEDS.read,
    type: 'JSON',
    nullable: true,
    description: `Result of evaluate and extract, at most ${ACTION_LIMITS.result} characters of JSON. Null for others, and if the result is null.`,
    resolve: ({ entry }) => entry.data.result,
  }),
  artifact: t.field({
    authScopes: NEEDS.read,
    type: Artifact,
    nullable: true,
    description: 'The file that it made. Null when it made none, and once that has been deleted.',
    extensions: COST.page,
    resolve: async ({ sessionId, entry }, _, context) => {
      const artifact = await findArtifact(entry.data.artifactId, context)
      return artifact?.sessionId === sessionId ? artifact : null
    },
  }),
  taskId: t.id({
    authScopes: NEEDS.readOrWrite,
    nullable: true,
    description: 'The task that did it. Null when it was no task.',
    resolve: ({ entry: { data } }) => (data.taskId === null ? null : encodeGlobalId('Task', data.taskId)),
  }),
  cost: t.field({
    authScopes: NEEDS.read,
    type: Cost,
    nullable: true,
    description:
      'Model cost of the step that requested it. Null if no model did, and for all but the first of the actions of one step.',
    resolve: ({ entry }) => entry.data.cost,
  }),
}))

const ActionConnection = connectionOf('Action', Action)

builder.objectField(Session, 'actions', (t) =>
  t.field({
    type: ActionConnection,
    authScopes: NEEDS.read,
    description:
      'The actions in its log, in order, also after the session ended. Errors: NOT_FOUND (its deletion has begun), BAD_USER_INPUT, CURSOR_INVALID.',
    extensions: COST.page,
    args: {
      ...logPageArguments,
      offset: t.arg.int({
        description: `Number of items to skip from the start, from 0 to 10000; use cursors beyond that. BAD_USER_INPUT together with a cursor or with last. The page has ${LOG_PAGE_BOUNDS.default} unless first says otherwise.`,
      }),
    },
    resolve: async (session, page, { logs }) =>
      logConnectionPage(session.id, await logs.page(session, { ...page, filter: { kinds: ['ACTION'] } })),
  }),
)

builder.mutationField('runActions', (t) =>
  t.field({
    type: [Action],
    authScopes: NEEDS.write,
    description: `Runs the steps in order, on one page, and returns one Action for each, as recorded in the log. A step that fails is data, and stops the rest, which are SKIPPED. Requests for one session are served one after the other. A client that disconnects cancels the steps that have not begun; the current one is finished. A request may take ${ACTION_LIMITS.requestMs / 1000} s, queue time included. While the session is CREATING it waits. Errors: NOT_FOUND (the session, the page), SESSION_NOT_RUNNING, MACHINE_UNREACHABLE, BAD_USER_INPUT, CAPACITY_EXCEEDED (${ACTION_LIMITS.requestsWaiting} requests wait), DATABASE_UNAVAILABLE.`,
    extensions: COST.act,
    args: {
      sessionId: t.arg.id({ required: true, description: 'The id of the session.' }),
      pageId: t.arg.id({
        description:
          'The page of the first step, as in Session.pages. Default: the oldest. After openPage the steps act on the page that it opened, after closePage on the oldest that is left.',
      }),
      actions: t.arg({
        type: [ActionInput],
        required: true,
        description: `The steps: from 1 to ${ACTION_LIMITS.stepsPerRequest}.`,
      }),
    },
    resolve: async (_, { sessionId, pageId, actions }, context) => {
      const { owner } = context.require('WRITE')
      const uuid = sessionUuid(sessionId)
      const session = await context.sessions.requireHandle(owner, uuid)
      const entries = await session.act(
        { pageId: pageId ?? null, actions, artifacts: artifactsOf(actions) },
        context.signal,
      )
      return entries.map((entry): EntryNode<'ACTION'> => ({ sessionId: uuid, entry }))
    },
  }),
)

/** The artifact ids in the steps, decoded, by step; steps beyond the limit are not looked at. */
function artifactsOf(actions: readonly unknown[]): (string | null)[][] {
  return actions.slice(0, ACTION_LIMITS.stepsPerRequest).map((action) => {
    const { upload: given } = action as { upload?: { artifactIds: readonly string[] } | null }
    return (given?.artifactIds ?? []).slice(0, UPLOADED_ARTIFACTS).map((id) => uuidOf('Artifact', id))
  })
}
