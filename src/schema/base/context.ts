import type { AgentTasks } from '../../domain/tasks/agent-tasks.ts'
import type { ApiKeys } from '../../domain/keys/api-keys.ts'
import type { Artifacts } from '../../domain/artifacts/artifacts.ts'
import { OperationArtifacts } from '../../domain/artifacts/operation-artifacts.ts'
import type { Bodies } from '../../domain/bodies/bodies.ts'
import { OperationBodies } from '../../domain/bodies/operation-bodies.ts'
import type { Drain } from '../../domain/machines/drain.ts'
import type { MachineDirectory } from '../../domain/machines/machines.ts'
import type { LiveViewLinks } from '../../domain/links/live-view-links.ts'
import type { LogReader } from '../../domain/log/reading/log-reader.ts'
import type { Profiles } from '../../domain/profiles/profiles.ts'
import type { TabwireError } from '../../domain/kernel/errors.ts'
import { OperationLogs } from '../../domain/log/reading/operation-logs.ts'
import type { OperationReads } from '../../domain/log/reading/operation-reads.ts'
import { hasScope, refusalOf, requireLiveView, requireScope, type Principal } from '../../domain/kernel/principal.ts'
import { OperationSessions } from '../../domain/sessions/operation-sessions.ts'
import type { SessionDirectory } from '../../domain/sessions/session-directory.ts'
import type { SignedLinks } from '../../domain/links/signed-links.ts'
import type { LogExports } from '../../domain/links/log-exports.ts'
import type { Uploads } from '../../domain/links/uploads.ts'
import type { Scope } from '../../ports/access/scope.ts'
import { Failures } from './failures.ts'

/** API for resolvers: the domain, and nothing below it. */
export interface Domain {
  readonly sessions: SessionDirectory
  readonly machines: MachineDirectory
  readonly drain: Pick<Drain, 'request'>
  readonly logs: LogReader
  readonly apiKeys: ApiKeys
  readonly artifacts: Artifacts
  readonly bodies: Bodies
  readonly uploads: Uploads
  readonly exports: LogExports
  readonly links: SignedLinks
  readonly liveViewLinks: LiveViewLinks
  readonly tasks: AgentTasks
  readonly profiles: Profiles
}

/**
 * Context of one operation for its resolvers. Authorization is declared in the schema (needs.ts), and checked before
 * a resolver is called. Even so, the owner is available only through `require`: if a declaration is missing or wrong,
 * a resolver that accesses an owner's data still requires a scope.
 */
export interface Context extends Omit<Domain, 'logs' | 'bodies'> {
  /** Fires when the caller no longer waits for the response: the client disconnected, or its stream ended. */
  readonly signal: AbortSignal
  readonly failures: Failures
  /** Limits on the data that the operation may read; all lists are read through it. */
  readonly reads: OperationReads
  readonly logs: OperationLogs
  readonly bodies: OperationBodies
  /** Artifacts that entries of logs name, found together. */
  readonly loggedArtifacts: OperationArtifacts
  /** Pages and health of live sessions, read once per operation. */
  readonly liveSessions: OperationSessions
  /** The caller, if the key has one of the scopes. Throws Unauthenticated or Forbidden. */
  require(...scopes: [Scope, ...Scope[]]): Principal
  /** The same for the live view of a session, which a link to it also authorizes. Throws NotFound as well. */
  requireLiveView(sessionId: string, scope: Scope): Principal
  /** Whether the caller's key has the scope, for fields that are null without it. */
  allows(scope: Scope): boolean
  /** Whether the caller has a link to the live view of a session instead of a key. */
  readonly isLiveViewLink: boolean
  /** The error for a caller that has none of these scopes. */
  refusalOf(scopes: readonly Scope[]): TabwireError
}

/**
 * The only context factory, for both HTTP and WebSocket. Cheap: each event of a subscription gets its own context.
 */
export function createContext(domain: Domain, principal: Principal | null, reads: OperationReads): Context {
  return {
    sessions: domain.sessions,
    machines: domain.machines,
    drain: domain.drain,
    liveSessions: new OperationSessions(domain.sessions),
    logs: new OperationLogs(domain.logs, reads),
    apiKeys: domain.apiKeys,
    artifacts: domain.artifacts,
    loggedArtifacts: new OperationArtifacts(domain.artifacts),
    bodies: new OperationBodies(domain.bodies, reads),
    uploads: domain.uploads,
    exports: domain.exports,
    links: domain.links,
    liveViewLinks: domain.liveViewLinks,
    tasks: domain.tasks,
    profiles: domain.profiles,
    signal: reads.signal,
    failures: new Failures(),
    reads,
    isLiveViewLink: principal !== null && principal.sessionId !== null,
    require: (...scopes) => requireScope(principal, ...scopes),
    requireLiveView: (sessionId, scope) => requireLiveView(principal, sessionId, scope),
    allows: (scope) => hasScope(principal, scope),
    refusalOf: (scopes) => refusalOf(principal, scopes),
  }
}
