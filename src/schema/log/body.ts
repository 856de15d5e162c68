import type { BodyData, BodyOmission } from '../../contract/entries/body.ts'
import { encodeGlobalId } from '../../contract/global-id.ts'
import type { BodyDirection } from '../../domain/bodies/linked-bodies.ts'
import type { AvailableBody, BodyOutcome } from '../../domain/bodies/operation-bodies.ts'
import { LINK_TTL_RULE, LINK_TTL_SECONDS } from '../../domain/links/signed-links.ts'
import { BODIES_PATH } from '../../http-paths.ts'
import { builder } from '../base/builder.ts'
import { COST } from '../base/complexity.ts'
import type { Context } from '../base/context.ts'
import { describedValues } from '../base/enum-values.ts'
import { NEEDS } from '../base/needs.ts'
import type { EntryNode } from '../sessions/session-event.ts'
import { NetworkRequest } from './network-request.ts'

const BodyOmissionEnum = builder.enumType('BodyOmission', {
  description: 'Why a body is not in the log.',
  values: describedValues<BodyOmission>({
    NOT_CAPTURED: 'The session does not record bodies of this kind: see Session.capture.',
    TOO_LARGE: 'It has more bytes than can be recorded.',
    STREAMING: 'It was incomplete when the session ended, or is an endless stream.',
    OPAQUE:
      'The browser does not provide it: a cross-origin response without permission, or one that it did not buffer.',
    QUOTA: 'The owner’s quota is used up: see Viewer.artifactQuotaBytes.',
    LATE: 'The browser did not provide it, or it could not be stored, within the time that an entry waits for it.',
    STORE_FAILED:
      'It could not be stored, or its bytes are lost, or it was encrypted with a key that the server does not have (TABWIRE_BODY_KEY).',
    EXPIRED: 'It was deleted before its session: see TABWIRE_BODY_RETENTION_DAYS.',
    NOT_RECORDED: 'The entry was recorded by a version that did not record bodies.',
  }),
})

interface BodyNode extends AvailableBody {
  sessionId: string
  requestId: number
  direction: BodyDirection
}

const isText = ({ encoding }: BodyData) => encoding === 'UTF8' || encoding === 'SEALED_UTF8'

const BodyType = builder.objectRef<BodyNode>('Body').implement({
  authScopes: NEEDS.read,
  description:
    'Content of a request or response, decompressed. Secrets in it were masked before it was stored: see Session.redact.',
  fields: (t) => ({
    contentType: t.string({
      nullable: true,
      description: 'Value of the Content-Type header. Null if there was none.',
      resolve: ({ data }) => data.contentType,
    }),
    sizeBytes: t.field({
      type: 'SafeInt',
      description: 'Size of the whole body in bytes, as the page sent or received it.',
      resolve: ({ data }) => data.sizeBytes,
    }),
    truncated: t.field({
      type: 'SafeInt',
      description: 'Bytes cut from its end. 0: the body is complete.',
      resolve: ({ data }) => data.truncated,
    }),
    text: t.string({
      nullable: true,
      description:
        'The body as text. Null for a binary body, and when its bytes cannot be read. Stored bodies in one response are limited to 4 MiB. Errors: RESPONSE_TOO_LARGE.',
      extensions: COST.body,
      resolve: async (body, _, { bodies }) =>
        isText(body.data) ? ((await bodies.bytesOf(body))?.toString() ?? null) : null,
    }),
    base64: t.string({
      nullable: true,
      description: 'The bytes in base64. Null when they cannot be read. Errors: RESPONSE_TOO_LARGE.',
      extensions: COST.body,
      resolve: async (body, _, { bodies }) => (await bodies.bytesOf(body))?.toString('base64') ?? null,
    }),
    url: t.string({
      extensions: COST.link,
      description:
        'Signed URL that downloads the body without an API key, until it expires, the API key that made it is revoked, or the body is deleted. Errors: BAD_USER_INPUT.',
      args: {
        ttlSeconds: t.arg.int({
          required: true,
          defaultValue: LINK_TTL_SECONDS.default,
          description: `Lifetime of the link, in seconds; it ends earlier with the API key. ${LINK_TTL_RULE} Outside is BAD_USER_INPUT.`,
        }),
      },
      resolve: (body, { ttlSeconds }, context) => bodyUrl(body, ttlSeconds, context),
    }),
  }),
})

/** Opens only this body, without a key. */
function bodyUrl({ sessionId, requestId, direction }: BodyNode, ttlSeconds: number, context: Context) {
  const { links } = context
  const terms = links.terms(context.require('READ'), ttlSeconds)
  const query = { ...links.sign('body', [sessionId, String(requestId), direction], terms) }
  return links.url(`${BODIES_PATH}${encodeGlobalId('NetworkRequest', sessionId, requestId)}/${direction}`, query)
}

type RequestNode = EntryNode<'NETWORK_REQUEST'>

function outcomeOf({ entry }: RequestNode, direction: BodyDirection, context: Context) {
  const { requestBody, requestBodyOmitted, responseBody, responseBodyOmitted } = entry.data
  const { owner } = context.require('READ')
  const { bodies } = context
  return direction === 'request'
    ? bodies.outcomeOf(owner, requestBody, requestBodyOmitted)
    : bodies.outcomeOf(owner, responseBody, responseBodyOmitted)
}

/** Avoids a promise where possible: a page has a thousand of them. */
function mapped<T>(outcome: BodyOutcome | Promise<BodyOutcome>, map: (outcome: BodyOutcome) => T): T | Promise<T> {
  return outcome instanceof Promise ? outcome.then(map) : map(outcome)
}

const bodyOf = (direction: BodyDirection) => (node: RequestNode, _: object, context: Context) =>
  mapped(outcomeOf(node, direction, context), ({ body }): BodyNode | null => {
    const { sessionId, entry } = node
    return body && { ...body, sessionId, requestId: entry.data.requestId, direction }
  })

const omissionOf = (direction: BodyDirection) => (node: RequestNode, _: object, context: Context) =>
  mapped(outcomeOf(node, direction, context), ({ omitted }) => omitted)

builder.objectFields(NetworkRequest, (t) => ({
  requestBody: t.field({
    type: BodyType,
    nullable: true,
    description: 'Content sent. Null if there was none, or if it is not in the log: see requestBodyOmitted.',
    resolve: bodyOf('request'),
  }),
  requestBodyOmitted: t.field({
    type: BodyOmissionEnum,
    nullable: true,
    description: 'Reason why requestBody is null although the request had content. Null otherwise.',
    resolve: omissionOf('request'),
  }),
  responseBody: t.field({
    type: BodyType,
    nullable: true,
    description: 'Content of the response. Null if there was none, or if it is not in the log: see bodyOmitted.',
    resolve: bodyOf('response'),
  }),
  bodyOmitted: t.field({
    type: BodyOmissionEnum,
    nullable: true,
    description: 'Reason why responseBody is null although the response had content. Null otherwise.',
    resolve: omissionOf('response'),
  }),
}))
