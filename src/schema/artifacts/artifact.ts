import { ARTIFACT_PAGE_BOUNDS } from '../../domain/artifacts/artifacts.ts'
import { encodeArtifactCursor } from '../../domain/kernel/cursor.ts'
import { NotFound } from '../../domain/kernel/errors.ts'
import { LINK_TTL_RULE, LINK_TTL_SECONDS, type LinkTerms } from '../../domain/links/signed-links.ts'
import type { ArtifactKind, ArtifactRecord } from '../../ports/artifacts/artifact.ts'
import type { ArtifactFailureCode } from '../../ports/log/log-entry.ts'
import { artifactUrl, traceViewerUrl } from '../base/artifact-link.ts'
import { builder } from '../base/builder.ts'
import { connectionOf, connectionPage } from '../base/connection.ts'
import type { Context } from '../base/context.ts'
import { COST } from '../base/complexity.ts'
import { describedValues } from '../base/enum-values.ts'
import { uuidOf } from '../../contract/global-id.ts'
import { NEEDS } from '../base/needs.ts'
import { foundByUuid } from '../base/node.ts'
import { entryType } from '../sessions/session-event.ts'
import { Session } from '../sessions/session.ts'

const ArtifactKindEnum = builder.enumType('ArtifactKind', {
  description: 'Kind of an artifact.',
  values: describedValues<ArtifactKind>({
    SCREENSHOT: 'Screenshot of a page or an element: PNG, JPEG or WebP.',
    PDF: 'PDF of a page.',
    VIDEO: 'Video of a page: WebM.',
    TRACE: 'Everything that Playwright’s trace viewer shows; see viewerUrl.',
    HAR: 'The network traffic, as an HTTP archive.',
    DOWNLOAD: 'A file that a page made the browser download.',
    UPLOAD: 'A file that a client gave, for pages to take.',
  }),
})

const ttlSeconds = builder.args((t) => ({
  ttlSeconds: t.int({
    required: true,
    defaultValue: LINK_TTL_SECONDS.default,
    description: `Lifetime of the link, in seconds; it ends earlier with the API key. ${LINK_TTL_RULE} Outside is BAD_USER_INPUT.`,
  }),
}))

interface Link {
  record: ArtifactRecord
  terms: LinkTerms
}

/** A link signed with the caller's key, which must have the scope READ. */
const linkTo = (record: ArtifactRecord, ttl: number, context: Context): Link => ({
  record,
  terms: context.links.terms(context.require('READ'), ttl),
})

const ENDS = 'until it expires, the API key that made it is revoked, or the artifact is deleted'

const ArtifactLink = builder.objectRef<Link>('ArtifactLink').implement({
  authScopes: NEEDS.read,
  description: `Signed link to an artifact. It works without a key ${ENDS}; a download that is under way then is aborted.`,
  fields: (t) => ({
    url: t.string({
      extensions: COST.link,
      description:
        'URL of the file, for an <img> for instance. Ranges and conditional requests are served; with &download=1 browsers save it.',
      resolve: ({ record, terms }, _, { links }) => artifactUrl(links, record, terms),
    }),
    viewerUrl: t.string({
      extensions: COST.link,
      nullable: true,
      description: 'URL of Playwright’s trace viewer, opened on the file. Null unless the artifact is a TRACE.',
      resolve: ({ record, terms }, _, { links }) => traceViewerUrl(links, record, terms),
    }),
    expiresAt: t.field({
      type: 'DateTime',
      description: 'Expiration time of the link; never later than that of the API key.',
      resolve: ({ terms }) => terms.expiresAt,
    }),
  }),
})

export const Artifact = builder.node(builder.objectRef<ArtifactRecord>('Artifact'), {
  ...foundByUuid('READ', (owner, uuid, { artifacts }) => artifacts.find(owner, uuid)),
  id: { description: 'Of this artifact.', resolve: ({ id }) => id },
  authScopes: NEEDS.readOrWrite,
  description:
    'A file that a session made or was given. It outlives the session, until deleteArtifact or the server’s retention removes it. A key without READ sees a file that it has just uploaded, but no link to it.',
  fields: (t) => ({
    session: t.field({
      authScopes: NEEDS.readOrWrite,
      type: Session,
      description: 'The session that it belongs to.',
      extensions: COST.page,
      resolve: async ({ owner, sessionId }, _, { sessions }) => {
        const session = await sessions.find(owner, sessionId)
        if (!session) throw new NotFound('session')
        return session
      },
    }),
    kind: t.expose('kind', {
      authScopes: NEEDS.readOrWrite,
      type: ArtifactKindEnum,
      description: 'Kind of the artifact.',
    }),
    name: t.exposeString('name', { authScopes: NEEDS.readOrWrite, description: 'A file name without a path.' }),
    contentType: t.exposeString('contentType', {
      authScopes: NEEDS.readOrWrite,
      description: 'Its media type, such as image/png.',
    }),
    sizeBytes: t.expose('sizeBytes', {
      authScopes: NEEDS.readOrWrite,
      type: 'SafeInt',
      description: 'Its size in bytes.',
    }),
    sha256: t.exposeString('sha256', {
      authScopes: NEEDS.readOrWrite,
      description: 'SHA-256 of its bytes in hexadecimal digits: the entity tag of its downloads.',
    }),
    pageId: t.exposeID('pageId', {
      authScopes: NEEDS.readOrWrite,
      nullable: true,
      description: 'The page that it shows or comes from, as in Session.pages. Null when it is of none.',
    }),
    createdAt: t.expose('createdAt', {
      authScopes: NEEDS.readOrWrite,
      type: 'DateTime',
      description: 'Time at which it was stored.',
    }),
    link: t.field({
      authScopes: NEEDS.read,
      type: ArtifactLink,
      description: 'Signed link to the file, with its expiration time. Errors: FORBIDDEN, BAD_USER_INPUT.',
      args: ttlSeconds,
      resolve: (record, args, context) => linkTo(record, args.ttlSeconds, context),
    }),
    url: t.string({
      authScopes: NEEDS.read,
      extensions: COST.link,
      description:
        'Signed URL of the file; see link, which also has the expiration time. Errors: FORBIDDEN, BAD_USER_INPUT.',
      args: ttlSeconds,
      resolve: (record, args, context) =>
        artifactUrl(context.links, record, linkTo(record, args.ttlSeconds, context).terms),
    }),
    viewerUrl: t.string({
      authScopes: NEEDS.read,
      extensions: COST.link,
      nullable: true,
      description:
        'Signed URL of Playwright’s trace viewer, opened on the file; see link, which also has the expiration time. Null unless the artifact is a TRACE. Errors: FORBIDDEN, BAD_USER_INPUT.',
      args: ttlSeconds,
      resolve: (record, args, context) =>
        traceViewerUrl(context.links, record, linkTo(record, args.ttlSeconds, context).terms),
    }),
  }),
})

/** The caller's artifact by its UUID, as stored in log entries; null if it is not the caller's or was deleted. */
export async function findArtifact(uuid: string | null, context: Context): Promise<ArtifactRecord | null> {
  return uuid === null ? null : context.loggedArtifacts.find(context.require('READ').owner, uuid)
}

/** UUID of an artifact's id. Throws NotFound for a malformed id, as for a missing artifact. */
function artifactUuid(id: string): string {
  const uuid = uuidOf('Artifact', id)
  if (!uuid) throw new NotFound('artifact')
  return uuid
}

const ArtifactConnection = connectionOf('Artifact', Artifact)

builder.objectField(Session, 'artifacts', (t) =>
  t.field({
    type: ArtifactConnection,
    authScopes: NEEDS.read,
    description: 'Its files, oldest first, also after the session ended. Errors: BAD_USER_INPUT, CURSOR_INVALID.',
    extensions: COST.page,
    args: {
      first: t.arg.int({
        defaultValue: ARTIFACT_PAGE_BOUNDS.default,
        description: `Number of items to return, from ${ARTIFACT_PAGE_BOUNDS.min} to ${ARTIFACT_PAGE_BOUNDS.max}; otherwise BAD_USER_INPUT.`,
      }),
      after: t.arg.string({
        description: 'Return items after this cursor. A cursor of another list is CURSOR_INVALID.',
      }),
      kind: t.arg({ type: ArtifactKindEnum, description: 'Only this kind. Absent or null: every kind.' }),
    },
    resolve: async (session, args, context) => {
      const { artifacts, hasNextPage, totalCount } = await context.reads.list(() =>
        context.artifacts.list(session.id, args),
      )
      const cursorAt = (index: number) => encodeArtifactCursor(session.id, artifacts[index]!)
      return connectionPage({
        nodes: artifacts,
        cursorAt,
        hasNextPage,
        hasPreviousPage: args.after != null,
        startCursor: artifacts.length > 0 ? cursorAt(0) : null,
        endCursor: artifacts.length > 0 ? cursorAt(artifacts.length - 1) : null,
        totalCount,
      })
    },
  }),
)

const ArtifactCreated = entryType('ARTIFACT_CREATED', 'A file of the session was stored as an artifact.')

builder.objectFields(ArtifactCreated, (t) => ({
  artifact: t.field({
    type: Artifact,
    nullable: true,
    description: 'The artifact. Null when it has been deleted since.',
    extensions: COST.page,
    resolve: ({ entry }, _, context) => findArtifact(entry.data.artifactId, context),
  }),
  kind: t.field({
    type: ArtifactKindEnum,
    description: 'Kind of the artifact.',
    resolve: ({ entry }) => entry.data.kind,
  }),
  name: t.string({ description: 'Its file name, without a path.', resolve: ({ entry }) => entry.data.name }),
  contentType: t.string({ description: 'Its media type.', resolve: ({ entry }) => entry.data.contentType }),
  sizeBytes: t.field({
    type: 'SafeInt',
    nullable: true,
    description: 'Its size in bytes. Never null in this kind of entry.',
    resolve: ({ entry }) => entry.data.sizeBytes,
  }),
  pageId: t.id({
    nullable: true,
    description: 'The page that it shows or comes from, as in Session.pages. Null when it is of none.',
    resolve: ({ entry }) => entry.data.pageId,
  }),
}))

const ArtifactFailureCodeEnum = builder.enumType('ArtifactFailureCode', {
  description: 'Reason why a file of a session was not stored, or only in part.',
  values: describedValues<ArtifactFailureCode>({
    QUOTA_EXCEEDED: 'It would exceed the rest of the owner’s artifact quota.',
    TEMPORARY_FOLDER_FULL: 'The temporary folder, where files are written first, was full (TABWIRE_TEMP_LIMIT_MB).',
    STORAGE_FULL: 'The disk on which artifacts are stored is full.',
    STORAGE_UNAVAILABLE: 'The artifact store could not be used.',
    INTERNAL: 'Another reason, which is in the server’s log.',
  }),
})

const ArtifactFailed = entryType(
  'ARTIFACT_FAILED',
  'A recording was stopped before the end of the session, or a file of the session could not be kept. A download that was not kept is a Download.',
)

builder.objectFields(ArtifactFailed, (t) => ({
  kind: t.field({
    type: ArtifactKindEnum,
    description: 'Kind of the artifact.',
    resolve: ({ entry }) => entry.data.kind,
  }),
  name: t.string({ description: 'Its file name, without a path.', resolve: ({ entry }) => entry.data.name }),
  pageId: t.id({
    nullable: true,
    description: 'The page that it shows or comes from, as in Session.pages. Null when it is of none.',
    resolve: ({ entry }) => entry.data.pageId,
  }),
  code: t.field({
    type: ArtifactFailureCodeEnum,
    description: 'The reason, for programs.',
    resolve: ({ entry }) => entry.data.code,
  }),
  message: t.string({ description: 'The reason, with its numbers.', resolve: ({ entry }) => entry.data.message }),
  partial: t.boolean({
    description:
      'True: the recording was stopped, and is kept up to then when the session ends, if it still fits. False: nothing of the file is kept.',
    resolve: ({ entry }) => entry.data.partial,
  }),
}))

builder.mutationField('deleteArtifact', (t) =>
  t.id({
    authScopes: NEEDS.write,
    description:
      'Deletes an artifact, its bytes and all links to it. Returns its id. Log entries about it remain. Errors: NOT_FOUND, STORAGE_UNAVAILABLE.',
    extensions: COST.change,
    args: { id: t.arg.id({ required: true, description: 'The id of the artifact.' }) },
    resolve: async (_, { id }, context) => {
      const { owner } = context.require('WRITE')
      await context.artifacts.delete(owner, artifactUuid(id))
      return id
    },
  }),
)
