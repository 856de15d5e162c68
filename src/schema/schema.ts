import { printSchema, type GraphQLSchema } from 'graphql'
import { builder } from './builder.ts'
import './node.ts'
import './session.ts'
import './session-list.ts'
import './session-lifecycle.ts'
import './session-health.ts'
import './session-access.ts'
import './page.ts'
import './action.ts'
import './screencast.ts'
import './dispatch-input.ts'
import './session-event.ts'
import './session-log.ts'
import './status-change.ts'
import './page-events.ts'
import './console-message.ts'
import './network-request.ts'
import './web-socket-events.ts'
import './download.ts'
import './artifact.ts'
import './upload.ts'
import './dialog.ts'
import './entries-dropped.ts'
import './task.ts'
import './task-events.ts'
import './client-events.ts'
import './api-key.ts'
import './viewer.ts'
import './profile.ts'
import './capacity.ts'
import { undeclaredFields } from './needs.ts'

/** The whole API. Each of the files above declares a noun with its queries, mutations and subscriptions. */
export const schema: GraphQLSchema = builder.toSchema({ sortSchema: false })

const undeclared = undeclaredFields(schema)
if (undeclared.length > 0) throw new Error(`authScopes are not declared for: ${undeclared.join(', ')}`)

/** The text of `schema.graphql`, and of `tabwire print-schema`: in the order of the code, as people would read it. */
export function printedSchema(): string {
  return `${printSchema(schema)}\n`
}
