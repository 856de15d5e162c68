import { encodeGlobalId } from '../../contract/global-id.ts'
import { TEXT_LIMITS, type InitiatorType, type RequestInitiator } from '../../ports/log/log-entry.ts'
import { builder } from '../base/builder.ts'
import { describedValues } from '../base/enum-values.ts'
import { NEEDS } from '../base/needs.ts'
import { SourceLocationType } from './console-message.ts'

interface InitiatorNode {
  sessionId: string
  initiator: RequestInitiator
}

const InitiatorTypeEnum = builder.enumType('InitiatorType', {
  description: 'Cause of a request.',
  values: describedValues<InitiatorType>({
    PARSER: 'The HTML parser, for an element of the document.',
    SCRIPT: 'A script.',
    PRELOAD: 'A preload hint.',
    PREFLIGHT: 'A request to another origin, whose preflight this is.',
    SIGNED_EXCHANGE: 'A signed exchange.',
    FED_CM: 'Federated credential management.',
    OTHER: 'Anything else: a navigation by the API, a style sheet, the browser itself.',
  }),
})

export const RequestInitiatorType = builder.objectRef<InitiatorNode>('RequestInitiator').implement({
  authScopes: NEEDS.read,
  description: 'Cause of a request and its location in the code.',
  fields: (t) => ({
    type: t.field({
      type: InitiatorTypeEnum,
      description: 'Kind of cause.',
      resolve: ({ initiator }) => initiator.type,
    }),
    location: t.field({
      type: SourceLocationType,
      nullable: true,
      description:
        'The line of the document, or the innermost call of the script, that caused it. Null if the browser reports no location.',
      resolve: ({ initiator: { url, line, column } }) => (url === null ? null : { url, line, column }),
    }),
    stack: t.string({
      nullable: true,
      description: `Call stack of the script, cut at ${TEXT_LIMITS.initiatorStack} UTF-16 code units. Null when no script caused it.`,
      resolve: ({ initiator }) => initiator.stack,
    }),
    requestId: t.id({
      nullable: true,
      description:
        'The id of the NetworkRequest that caused it, for `node`: of a preflight, the request that it is for. Null when none did, or it is not known.',
      resolve: ({ sessionId, initiator: { requestId } }) =>
        requestId === null ? null : encodeGlobalId('NetworkRequest', sessionId, requestId),
    }),
  }),
})
