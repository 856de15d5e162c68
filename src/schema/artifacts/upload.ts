import { LINK_TTL_RULE, LINK_TTL_SECONDS } from '../../domain/links/signed-links.ts'
import { UPLOAD_RULES, type UploadTicket } from '../../domain/links/uploads.ts'
import { uploadUrl } from '../base/artifact-link.ts'
import { Artifact } from './artifact.ts'
import { builder } from '../base/builder.ts'
import { COST } from '../base/complexity.ts'
import { encodeGlobalId } from '../../contract/global-id.ts'
import { NEEDS } from '../base/needs.ts'
import { requireSession } from '../sessions/session.ts'

const UploadTicketType = builder.objectRef<UploadTicket>('UploadTicket').implement({
  authScopes: NEEDS.write,
  description: 'Single-use upload link.',
  fields: (t) => ({
    url: t.string({
      description:
        'Takes the file as the body of a PUT, without a key, until it expires or the API key that made it is revoked; an upload that is under way then is aborted. Responds 201 with the artifact as JSON; 403 when the link is invalid, 409 when it was used already (also when the artifact was deleted since), 413 past the quota, 507 when there is no room. After a failed upload it can be tried again.',
      resolve: (ticket, _, { links, uploads }) => uploadUrl(links, uploads, ticket),
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      description:
        'Expiration time of the link, by which the PUT must be complete; never later than that of the API key.',
    }),
    artifactId: t.id({
      description: 'The id of the artifact that there will be.',
      resolve: ({ artifactId }) => encodeGlobalId('Artifact', artifactId),
    }),
  }),
})

const file = builder.args((t) => ({
  sessionId: t.id({
    required: true,
    description: 'The id of the session that it is for; it may have ended.',
  }),
  name: t.string({ required: true, description: `The name of the file. ${UPLOAD_RULES.name}` }),
  contentType: t.string({
    description: `Media type. Default: application/octet-stream. ${UPLOAD_RULES.contentType}`,
  }),
}))

builder.mutationFields((t) => ({
  uploadArtifact: t.field({
    type: Artifact,
    authScopes: NEEDS.write,
    description:
      'Keeps a small file as an artifact of the kind UPLOAD, for the action `upload` to give to a page; a request has at most 1 MB, for larger files there is createUpload. Errors: NOT_FOUND, BAD_USER_INPUT, QUOTA_EXCEEDED, STORAGE_FULL, STORAGE_UNAVAILABLE, MACHINE_UNREACHABLE.',
    extensions: COST.change,
    args: { ...file, base64: t.arg.string({ required: true, description: 'The bytes, in base64.' }) },
    resolve: async (_, { sessionId, base64, ...input }, context) =>
      context.uploads.save(await requireSession(context, 'WRITE', sessionId), input, base64, context.signal),
  }),
  createUpload: t.field({
    type: UploadTicketType,
    authScopes: NEEDS.write,
    description:
      'Creates a single-use link to upload a file of any size within the quota, which becomes an artifact of the kind UPLOAD. Errors: NOT_FOUND, BAD_USER_INPUT.',
    extensions: COST.page,
    args: {
      ...file,
      ttlSeconds: t.arg.int({
        required: true,
        defaultValue: LINK_TTL_SECONDS.default,
        description: `Lifetime of the link, in seconds; it ends earlier with the API key. ${LINK_TTL_RULE} Outside is BAD_USER_INPUT.`,
      }),
    },
    resolve: async (_, { sessionId, ttlSeconds, ...input }, context) => {
      const session = await requireSession(context, 'WRITE', sessionId)
      return context.uploads.ticket(context.require('WRITE'), session, input, ttlSeconds)
    },
  }),
}))
