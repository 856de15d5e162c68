import { TEXT_LIMITS } from '../../ports/log/log-entry.ts'
import { Artifact, findArtifact } from '../artifacts/artifact.ts'
import { builder } from '../base/builder.ts'
import { COST } from '../base/complexity.ts'
import { entryType } from '../sessions/session-event.ts'

const Download = entryType('DOWNLOAD', 'A download ended, complete or not. A complete one is kept as an artifact.')

builder.objectFields(Download, (t) => ({
  url: t.string({ description: 'Source.', resolve: ({ entry }) => entry.data.url }),
  suggestedFilename: t.string({
    description: `The name that the page or server suggests, cut at ${TEXT_LIMITS.fileName} UTF-16 code units.`,
    resolve: ({ entry }) => entry.data.suggestedFilename,
  }),
  pageId: t.id({
    nullable: true,
    description: 'The page, as in Session.pages. Null when it belongs to none.',
    resolve: ({ entry }) => entry.data.pageId,
  }),
  sizeBytes: t.field({
    type: 'SafeInt',
    nullable: true,
    description: 'Its size in bytes. Null when it failed.',
    resolve: ({ entry }) => entry.data.sizeBytes,
  }),
  failure: t.string({
    nullable: true,
    description:
      'Why it failed: "canceled", "session ended", "quota exceeded" (it was canceled when it took more than what the owner’s artifact quota leaves), "temporary folder full". Null when it completed.',
    resolve: ({ entry }) => entry.data.failure,
  }),
  artifact: t.field({
    type: Artifact,
    nullable: true,
    description: 'The file. Null when it failed, could not be kept (see keepFailure), or has been deleted since.',
    extensions: COST.page,
    resolve: ({ entry }, _, context) => findArtifact(entry.data.artifactId, context),
  }),
  keepFailure: t.string({
    nullable: true,
    description:
      'Why the file could not be kept, or was canceled by the server, with its numbers. Null when it was kept, or when there was none to keep.',
    resolve: ({ entry }) => entry.data.keepFailure,
  }),
}))
