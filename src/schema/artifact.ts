import { ARTIFACT_PAGE_BOUNDS } from '../domain/artifacts.ts'
import { encodeArtifactCursor } from '../domain/cursor.ts'
import { NotFound } from '../domain/errors.ts'
import { LINK_TTL_RULE, LINK_TTL_SECONDS } from '../domain/signed-links.ts'
import type { ArtifactKind, ArtifactRecord } from '../ports/artifact.ts'
import { artifactUrl, traceViewerUrl } from './artifact-link.ts'
import { builder } from './builder.ts'
import { connectionOf, type ConnectionPage } from './connection.ts'
import type { Context } from './context.ts'
import { COST } from './cost.ts'
import { describedValues } from './enum-values.ts'
import { encodeGlobalId, uuidOf } from './global-id.ts'
import { NodeInterface, registerNode } from './node.ts'
import { entryType } from './session-event.ts'
import { Session } from './session.ts'

export const ArtifactKindEnum = builder.enumType('ArtifactKind', {
  description: 'What kind of file an artifact is.',
  values: describedValues<ArtifactKind>({
    SCREENSHOT: 'A picture of a page or an element: PNG, JPEG or WebP.',
    PDF: 'A page as a printer would have it.',
    VIDEO: 'What a page looked like, as a film: WebM.',
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
    description: `How long the link shall work, in seconds. ${LINK_TTL_RULE} Outside is BAD_USER_INPUT.`,
  }),
}))

export const Artifact = builder.objectRef<ArtifactRecord>('Artifact').implement({
  description:
    'A file that a session made or was given. It outlives the session, until deleteArtifact or the server’s retention removes it.',
  interfaces: [NodeInterface],
  fields: (t) => ({
    id: t.id({ description: 'Of this artifact.', resolve: ({ id }) => encodeGlobalId('Artifact', id) }),
    session: t.field({
      type: Session,
      description: 'The session that it belongs to.',
      extensions: COST.page,
      resolve: async ({ owner, sessionId }, _, { registry }) => {
        const session = await registry.find(owner, sessionId)
        if (!session) throw new NotFound('session')
        return session
      },
    }),
    kind: t.expose('kind', { type: ArtifactKindEnum, description: 'What kind of file it is.' }),
    name: t.exposeString('name', { description: 'A file name without a path.' }),
    contentType: t.exposeString('contentType', { description: 'Its media type, such as image/png.' }),
    sizeBytes: t.expose('sizeBytes', { type: 'SafeInt', description: 'Its size in bytes.' }),
    sha256: t.exposeString('sha256', {
      description: 'SHA-256 of its bytes in hexadecimal digits: the entity tag of its downloads.',
    }),
    pageId: t.exposeID('pageId', {
      nullable: true,
      description: 'The page that it shows or comes from, as in Session.pages. Null when it is of none.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was kept.' }),
    url: t.string({
      description:
        'A link to the file that works without a key, in an <img> for instance, until it expires or the artifact is deleted. Ranges and conditional requests are served; with &download=1 browsers save it. Errors: BAD_USER_INPUT.',
      args: ttlSeconds,
      resolve: (record, args, { links }) => artifactUrl(links, record, args.ttlSeconds),
    }),
    viewerUrl: t.string({
      nullable: true,
      description:
        'A link to Playwright’s trace viewer, opened on the file; works without a key until it expires. Null for what is no TRACE. Errors: BAD_USER_INPUT.',
      args: ttlSeconds,
      resolve: (record, args, { links }) =>
        record.kind === 'TRACE' ? traceViewerUrl(links, record, args.ttlSeconds) : null,
    }),
  }),
})

registerNode('Artifact', async (id, owner, { artifacts }) =>
  id.number === null ? artifacts.find(owner, id.uuid) : null,
)

/** The caller's artifact by its UUID, as entries of the log know it; null when it is none or was deleted. */
export async function findArtifact(uuid: string | null, context: Context): Promise<ArtifactRecord | null> {
  return uuid === null ? null : context.artifacts.find(context.require('READ').owner, uuid)
}

/** UUID of an artifact's id. Throws NotFound for what is no such id, as for what does not exist. */
export function artifactUuid(id: string): string {
  const uuid = uuidOf('Artifact', id)
  if (!uuid) throw new NotFound('artifact')
  return uuid
}

const ArtifactConnection = connectionOf('Artifact', Artifact)

builder.objectField(Session, 'artifacts', (t) =>
  t.field({
    type: ArtifactConnection,
    description: 'Its files, oldest first, also after the session ended. Errors: BAD_USER_INPUT, CURSOR_INVALID.',
    extensions: COST.page,
    args: {
      first: t.arg.int({
        defaultValue: ARTIFACT_PAGE_BOUNDS.default,
        description: `How many to return. From ${ARTIFACT_PAGE_BOUNDS.min} to ${ARTIFACT_PAGE_BOUNDS.max}; outside is BAD_USER_INPUT.`,
      }),
      after: t.arg.string({
        description: 'Only what comes after this cursor. One that is not of this list is CURSOR_INVALID.',
      }),
      kind: t.arg({ type: ArtifactKindEnum, description: 'Only this kind. Absent or null: every kind.' }),
    },
    resolve: async (session, args, context): Promise<ConnectionPage> => {
      const { artifacts, hasNextPage, totalCount } = await context.reads.list(() =>
        context.artifacts.list(session.id, args),
      )
      const cursorAt = (index: number) => encodeArtifactCursor(session.id, artifacts[index]!)
      return {
        nodes: artifacts,
        cursorAt,
        hasNextPage,
        hasPreviousPage: args.after != null,
        startCursor: artifacts.length > 0 ? cursorAt(0) : null,
        endCursor: artifacts.length > 0 ? cursorAt(artifacts.length - 1) : null,
        totalCount,
      }
    },
  }),
)

const ArtifactCreated = entryType('ARTIFACT_CREATED', 'A file of the session was kept as an artifact.')

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
    description: 'What kind of file it is.',
    resolve: ({ entry }) => entry.data.kind,
  }),
  name: t.string({ description: 'Its file name, without a path.', resolve: ({ entry }) => entry.data.name }),
  contentType: t.string({ description: 'Its media type.', resolve: ({ entry }) => entry.data.contentType }),
  sizeBytes: t.field({
    type: 'SafeInt',
    description: 'Its size in bytes.',
    resolve: ({ entry }) => entry.data.sizeBytes,
  }),
  pageId: t.id({
    nullable: true,
    description: 'The page that it shows or comes from, as in Session.pages. Null when it is of none.',
    resolve: ({ entry }) => entry.data.pageId,
  }),
}))

builder.mutationField('deleteArtifact', (t) =>
  t.id({
    description:
      'Deletes an artifact: its bytes, and every link to it works no more. Returns its id. Entries of the log that tell of it stay. Errors: NOT_FOUND, STORAGE_UNAVAILABLE.',
    extensions: COST.change,
    args: { id: t.arg.id({ required: true, description: 'The id of the artifact.' }) },
    resolve: async (_, { id }, context) => {
      const { owner } = context.require('WRITE')
      await context.artifacts.delete(owner, artifactUuid(id))
      return id
    },
  }),
)
