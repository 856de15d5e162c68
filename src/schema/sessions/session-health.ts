import type { SessionHealth } from '../../domain/sessions/session-health.ts'
import { builder } from '../base/builder.ts'
import { COST } from '../base/complexity.ts'
import { describedValues } from '../base/enum-values.ts'
import { NEEDS } from '../base/needs.ts'
import { Session } from './session.ts'

const HealthStatusEnum = builder.enumType('HealthStatus', {
  description: 'Whether a session responds.',
  values: describedValues<SessionHealth['status']>({
    HEALTHY: 'Its browser responds, or is still being started.',
    UNRESPONSIVE: 'Its browser did not respond in time.',
    ENDED: 'The session has ended.',
  }),
})

const SessionHealthType = builder.objectRef<SessionHealth>('SessionHealth').implement({
  authScopes: NEEDS.read,
  description: 'Live state of a session, queried from its browser.',
  fields: (t) => ({
    status: t.expose('status', { type: HealthStatusEnum, description: 'In a word.' }),
    browserResponsive: t.exposeBoolean('browserResponsive', { description: 'True: the browser answered in time.' }),
    latencyMs: t.int({
      nullable: true,
      description: 'Milliseconds that the browser took to answer. Null when it did not.',
      resolve: ({ latencyMs }) => (latencyMs === null ? null : Math.round(latencyMs)),
    }),
    currentUrl: t.exposeString('currentUrl', {
      nullable: true,
      description: 'URL of the first page: "about:blank" before the first navigation. Null before the browser runs.',
    }),
    uptimeMs: t.int({
      description: 'Milliseconds that the browser has run; after the end, those that it ran.',
      resolve: ({ uptimeMs }) => Math.round(uptimeMs),
    }),
  }),
})

builder.objectField(Session, 'health', (t) =>
  t.field({
    type: SessionHealthType,
    authScopes: NEEDS.read,
    nullable: true,
    description:
      'Asks the browser now. All sessions of a list are queried in parallel, with 2 s in total. Null if the session’s machine did not respond in time.',
    extensions: COST.browser,
    resolve: (session, _, { liveSessions }) => liveSessions.health(session),
  }),
)
