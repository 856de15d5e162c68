import { encodeGlobalId } from '../../contract/global-id.ts'
import type { IssueCategory } from '../../ports/log-entry.ts'
import { builder } from '../base/builder.ts'
import { describedValues } from '../base/enum-values.ts'
import { entryType } from '../sessions/session-event.ts'
import { SourceLocationType } from './console-message.ts'

const IssueCategoryEnum = builder.enumType('IssueCategory', {
  description: 'What an issue is about, as in the Issues panel of DevTools.',
  values: describedValues<IssueCategory>({
    CONTENT_SECURITY_POLICY: 'A Content Security Policy or another policy of the page was violated.',
    COOKIE: 'A cookie was blocked, or may be soon.',
    CORS: 'A cross-origin request was blocked.',
    CROSS_ORIGIN_EMBEDDER_POLICY: 'A response was blocked by the embedder policy, or by Opaque Response Blocking.',
    DEPRECATION: 'A feature is deprecated or was removed.',
    FORM: 'A form or its fields have a mistake, such as a missing label.',
    HEAVY_AD: 'An ad took too much CPU or network.',
    LOW_TEXT_CONTRAST: 'Text is hard to read.',
    MIXED_CONTENT: 'A secure page asked for an insecure resource.',
    PERMISSION: 'A permission or policy prevented something.',
    QUIRKS_MODE: 'The document is rendered in quirks mode.',
    OTHER: 'Any other.',
  }),
})

const Issue = entryType(
  'ISSUE',
  'A problem that the browser found, as the Issues panel of DevTools lists it. The same problem of a page is recorded once.',
)

builder.objectFields(Issue, (t) => ({
  issueCode: t.string({
    description: 'What the browser calls it: CorsIssue, QuirksModeIssue …; for generic issues their type.',
    resolve: ({ entry }) => entry.data.code,
  }),
  category: t.field({
    type: IssueCategoryEnum,
    description: 'What it is about.',
    resolve: ({ entry }) => entry.data.category,
  }),
  message: t.string({
    description: 'The problem in a sentence, with the reason that the browser gave.',
    resolve: ({ entry }) => entry.data.message,
  }),
  affectedRequestId: t.id({
    nullable: true,
    description:
      'The id of the affected NetworkRequest, for `node`. Null when it affects none, or the browser did not tell which.',
    resolve: ({ sessionId, entry: { data } }) =>
      data.requestId === null ? null : encodeGlobalId('NetworkRequest', sessionId, data.requestId),
  }),
  affectedUrl: t.string({
    nullable: true,
    description: 'URL of the affected request or resource. Null when there is none.',
    resolve: ({ entry }) => entry.data.affectedUrl,
  }),
  affectedElement: t.string({
    nullable: true,
    description: 'Start tag of the affected element. Null when there is none, or it could not be read.',
    resolve: ({ entry }) => entry.data.affectedElement,
  }),
  location: t.field({
    type: SourceLocationType,
    nullable: true,
    description: 'Where in the code it comes from. Null when the browser names no place.',
    resolve: ({ entry: { data } }) =>
      data.url === null ? null : { url: data.url, line: data.line, column: data.column },
  }),
  pageId: t.id({
    nullable: true,
    description: 'The page, as in Session.pages. Null for what belongs to no page, such as a service worker.',
    resolve: ({ entry }) => entry.data.pageId,
  }),
  details: t.field({
    type: 'JSON',
    description: 'All that the browser said, as in the Audits domain of the Chrome DevTools Protocol, without its ids.',
    resolve: ({ entry }) => entry.data.details,
  }),
  detailsOmitted: t.int({
    description: 'Number of values that were left out of details or cut; 0 when all are there.',
    resolve: ({ entry }) => entry.data.detailsOmitted,
  }),
}))
