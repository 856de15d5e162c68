import { NotFound } from '../../domain/kernel/errors.ts'
import { SESSION_STATUS } from '../../domain/sessions/input/session-filter.ts'
import { BROWSER_ENGINE } from '../../domain/sessions/input/session-input.ts'
import { SESSION_INPUT_RULES } from '../../domain/sessions/input/session-rules.ts'
import { enumTypeOf } from '../base/input-type.ts'
import type { SessionSnapshot } from '../../domain/log/entries/session-snapshot.ts'
import type { SessionEndReason } from '../../ports/log/log-entry.ts'
import type { Scope } from '../../ports/access/scope.ts'
import type { Viewport } from '../../ports/base/viewport.ts'
import { builder } from '../base/builder.ts'
import type { Context } from '../base/context.ts'
import { EgressModeEnum } from './egress.ts'
import { describedValues } from '../base/enum-values.ts'
import { uuidOf } from '../../contract/global-id.ts'
import { NEEDS, readOrGiven } from '../base/needs.ts'
import { foundByUuid } from '../base/node.ts'

export const SessionStatusEnum = enumTypeOf(SESSION_STATUS)

export const SessionEndReasonEnum = builder.enumType('SessionEndReason', {
  description: 'Why a session ended.',
  values: describedValues<SessionEndReason>({
    TERMINATED: 'CLOSED: terminateSession or terminateSessions.',
    SERVER_SHUTDOWN: 'CLOSED: the server was shut down gracefully.',
    IDLE_TIMEOUT: 'TIMED_OUT: there was no activity for idleTimeoutSeconds.',
    MAX_DURATION: 'TIMED_OUT: maxDurationSeconds had passed.',
    LAUNCH_FAILED: 'FAILED: its browser did not start.',
    BROWSER_CRASHED: 'FAILED: its browser died.',
    BROWSER_MISBEHAVED: 'FAILED: its browser sent a message too large to be processed, or filled the temporary folder.',
    INTERNAL_ERROR: 'FAILED: a fault of the server. The server log has the cause, with the id of the session.',
    MACHINE_LOST:
      'FAILED: its server crashed, was suspended, or could not reach the database. Requests that were pending may not be in the log.',
    TASK_COMPLETED: 'CLOSED: its initial task was completed, and keepAlive was not set.',
    TASK_FAILED: 'FAILED: its initial task failed, and keepAlive was not set.',
  }),
})

const BrowserEngineEnum = enumTypeOf(BROWSER_ENGINE)

export const ViewportType = builder.objectRef<Viewport>('Viewport').implement({
  authScopes: NEEDS.asItsField,
  description: 'Size of the visible part of a page.',
  fields: (t) => ({
    width: t.exposeInt('width', { description: 'CSS pixels.' }),
    height: t.exposeInt('height', { description: 'CSS pixels.' }),
  }),
})

export const Session = builder.node(builder.objectRef<SessionSnapshot>('Session'), {
  ...foundByUuid('READ', (owner, uuid, { sessions }) => sessions.find(owner, uuid)),
  id: { description: 'Of this session, made by the server.', resolve: ({ id }) => id },
  authScopes: NEEDS.readOrWrite,
  description:
    'A browser of its own whose activity is recorded. It is stored with its log after its end, until retention deletes it. In the result of a mutation, a key without READ sees the id, status, endReason, browser and times, and the options that it has just provided; other fields are FORBIDDEN.',
  fields: (t) => ({
    name: t.exposeString('name', {
      authScopes: readOrGiven('name'),
      nullable: true,
      description: `Display name. Null when none was given. ${SESSION_INPUT_RULES.name}`,
    }),
    metadata: t.expose('metadata', {
      authScopes: readOrGiven('metadata'),
      type: 'JSON',
      description: 'Metadata of the client: an object; {} if none was provided.',
    }),
    status: t.expose('status', {
      authScopes: NEEDS.readOrWrite,
      type: SessionStatusEnum,
      description: 'Status of the session.',
    }),
    endReason: t.expose('endReason', {
      authScopes: NEEDS.readOrWrite,
      type: SessionEndReasonEnum,
      nullable: true,
      description: 'End reason. Null until it ends.',
    }),
    error: t.exposeString('error', {
      authScopes: NEEDS.read,
      nullable: true,
      description:
        'Error message. Null if there is none. In a running session: why the page of initialPrompt was refused (BLOCKED).',
    }),
    browser: t.field({
      authScopes: NEEDS.readOrWrite,
      type: BrowserEngineEnum,
      description: 'Its browser.',
      resolve: () => 'CHROMIUM' as const,
    }),
    viewport: t.expose('viewport', {
      authScopes: readOrGiven('viewport'),
      type: ViewportType,
      description: 'Of its pages.',
    }),
    userAgent: t.exposeString('userAgent', {
      authScopes: readOrGiven('userAgent'),
      nullable: true,
      description: 'Requested User-Agent. Null: the browser default.',
    }),
    locale: t.exposeString('locale', {
      authScopes: readOrGiven('locale'),
      nullable: true,
      description: 'Requested language, a BCP 47 tag. Null: the browser default.',
    }),
    timezone: t.exposeString('timezone', {
      authScopes: readOrGiven('timezone'),
      nullable: true,
      description: 'Requested time zone, an IANA name. Null: that of the server.',
    }),
    egress: t.field({
      authScopes: readOrGiven('egress'),
      type: EgressModeEnum,
      description: 'Which hosts its pages can reach.',
      // Sessions created before these rules existed had unrestricted access.
      resolve: ({ egress }) => egress?.mode ?? 'OPEN',
    }),
    allowedHosts: t.field({
      authScopes: readOrGiven('allowedHosts'),
      type: ['String'],
      nullable: true,
      description: 'The only hosts that its pages can reach, in normal form. Null: egress alone decides.',
      resolve: ({ egress }) => egress?.allowedHosts ?? null,
    }),
    proxy: t.string({
      authScopes: readOrGiven('proxy'),
      nullable: true,
      description:
        'The proxy that was given to startSession: scheme, host and port, such as "http://proxy.example:3128", without credentials. Null: none.',
      resolve: ({ egress }) => egress?.proxy ?? null,
    }),
    keepAlive: t.exposeBoolean('keepAlive', {
      authScopes: readOrGiven('keepAlive'),
      description: 'True: it has no idle timeout. maxDurationSeconds still applies.',
    }),
    idleTimeoutSeconds: t.exposeInt('idleTimeoutSeconds', {
      authScopes: readOrGiven('idleTimeoutSeconds'),
      description:
        'Seconds without activity after which it ends as TIMED_OUT, unless keepAlive. Watching does not count as activity.',
    }),
    maxDurationSeconds: t.exposeInt('maxDurationSeconds', {
      authScopes: readOrGiven('maxDurationSeconds'),
      description:
        'Seconds after which it ends as TIMED_OUT, regardless of activity: from startedAt, or from createdAt while it has not started.',
    }),
    createdAt: t.expose('createdAt', {
      authScopes: NEEDS.readOrWrite,
      type: 'DateTime',
      description: 'Creation time.',
    }),
    startedAt: t.expose('startedAt', {
      authScopes: NEEDS.readOrWrite,
      type: 'DateTime',
      nullable: true,
      description: 'When its browser had started. Null before, and forever if it never did.',
    }),
    lastActivityAt: t.expose('lastActivityAt', {
      authScopes: NEEDS.read,
      type: 'DateTime',
      description: 'Time of the last activity; its creation and its start count.',
    }),
    expiresAt: t.field({
      authScopes: NEEDS.readOrWrite,
      type: 'DateTime',
      nullable: true,
      description:
        'When the earliest limit that applies will end it. Null once it has ended, or if its machine did not respond in time.',
      resolve: async (session, _, { liveSessions }) => (await liveSessions.completed(session)).expiresAt,
    }),
    endedAt: t.expose('endedAt', {
      authScopes: NEEDS.readOrWrite,
      type: 'DateTime',
      nullable: true,
      description: 'End time. Null until it ends.',
    }),
    durationMs: t.int({
      authScopes: NEEDS.readOrWrite,
      description: 'Milliseconds from createdAt to endedAt, or until now.',
      resolve: ({ createdAt, endedAt }) => Math.max(0, (endedAt ?? Date.now()) - createdAt),
    }),
    machineId: t.id({
      authScopes: NEEDS.read,
      nullable: true,
      description:
        'Id of the machine that runs it, or ran it, as in machines; the same after a restart of its server. Null: it waits for one of several machines, or ended before one started it.',
      resolve: ({ machineId }) => machineId || null,
    }),
    currentUrl: t.exposeString('currentUrl', {
      authScopes: NEEDS.read,
      nullable: true,
      description:
        'URL of its first page, or the last known one after it ended: "about:blank" before the first navigation. Null before its browser runs.',
    }),
    title: t.exposeString('title', {
      authScopes: NEEDS.read,
      nullable: true,
      description:
        'Title of its first page, or the last known one after it ended: empty if the page has none. Null before its browser runs.',
    }),
    navigationCount: t.exposeInt('navigationCount', { authScopes: NEEDS.read, description: 'Navigations in its log.' }),
    consoleMessageCount: t.exposeInt('consoleMessageCount', {
      authScopes: NEEDS.read,
      description: 'Console messages in its log.',
    }),
    networkRequestCount: t.exposeInt('networkRequestCount', {
      authScopes: NEEDS.read,
      description: 'Settled requests in its log.',
    }),
    consoleErrorCount: t.exposeInt('consoleErrorCount', {
      authScopes: NEEDS.read,
      description: 'Console messages of the level ERROR in its log, uncaught exceptions included.',
    }),
    failedRequestCount: t.exposeInt('failedRequestCount', {
      authScopes: NEEDS.read,
      description: 'Requests in its log that the filter failedOnly of networkRequests selects.',
    }),
    actionCount: t.exposeInt('actionCount', { authScopes: NEEDS.read, description: 'Actions in its log.' }),
    screenshotCount: t.exposeInt('screenshotCount', { authScopes: NEEDS.read, description: 'Screenshots in its log.' }),
    pendingRequestCount: t.int({
      authScopes: NEEDS.read,
      description: 'Pending requests; 0 once it has ended, or if its machine did not respond in time.',
      resolve: async (session, _, { liveSessions }) => (await liveSessions.completed(session)).pendingRequestCount,
    }),
  }),
})

/** UUID of a session's id. Throws NotFound for a malformed id, as for a missing session. */
export function sessionUuid(id: string): string {
  const uuid = uuidOf('Session', id)
  if (!uuid) throw new NotFound('session')
  return uuid
}

/** The caller's session with this id. Throws NotFound, also for another owner's. */
export async function requireSession(context: Context, scope: Scope, id: string): Promise<SessionSnapshot> {
  const { owner } = context.require(scope)
  const session = await context.sessions.find(owner, sessionUuid(id))
  if (!session) throw new NotFound('session')
  return session
}
