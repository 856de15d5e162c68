import { printSchema, type GraphQLSchema } from 'graphql'
import { builder } from './base/builder.ts'
import './base/node.ts'
import './sessions/session.ts'
import './sessions/emulation.ts'
import './sessions/recording.ts'
import './sessions/session-list.ts'
import './sessions/session-lifecycle.ts'
import './sessions/session-health.ts'
import './sessions/session-access.ts'
import './sessions/page.ts'
import './actions/action.ts'
import './actions/navigation-error.ts'
import './live-view/screencast.ts'
import './live-view/dispatch-input.ts'
import './sessions/session-event.ts'
import './log/session-log.ts'
import './log/status-change.ts'
import './log/page-events.ts'
import './log/console-message.ts'
import './log/issue.ts'
import './log/network-request.ts'
import './log/body.ts'
import './log/web-socket-events.ts'
import './log/event-source-messages.ts'
import './log/log-export.ts'
import './log/download.ts'
import './artifacts/artifact.ts'
import './artifacts/upload.ts'
import './log/dialog.ts'
import './log/entries-dropped.ts'
import './tasks/task.ts'
import './log/task-events.ts'
import './log/client-events.ts'
import './access/api-key.ts'
import './access/viewer.ts'
import './access/profile.ts'
import './capacity.ts'
import './machines.ts'
import { boundFailures } from './base/failures.ts'
import { undeclaredFields } from './base/needs.ts'

/** The complete API. Each of the imported files declares a noun with its queries, mutations and subscriptions. */
export const schema: GraphQLSchema = boundFailures(builder.toSchema({ sortSchema: false }))

const undeclared = undeclaredFields(schema)
if (undeclared.length > 0) throw new Error(`authScopes are not declared for: ${undeclared.join(', ')}`)

/** The text of `schema.graphql` and `tabwire print-schema`, in source order, for human readers. */
export function printedSchema(): string {
  return `${printSchema(schema)}\n`
}
