import { encodeGlobalId } from '../../contract/global-id.ts'
import type { IssueCategory } from '../../ports/log/log-entry.ts'
import { builder } from '../base/builder.ts'
import { describedValues } from '../base/enum-values.ts'
import { entryType } from '../sessions/session-event.ts'
import { SourceLocationType } from './console-message.ts'

const IssueCategoryEnum = builder.enumType('IssueCategory', {
  description: 'Category of an issue, as in the Issues panel of DevTools.',
  values: describedValues<IssueCategory>({
    CONTENT_SECURITY_POLICY: 'A Content Security Policy or another policy of the page was violated.',
    COOKIE: 'A cookie was blocked, or may be soon.',
    CORS: 'A cross-origin request was blocked.',
    CROSS_ORIGIN_EMBEDDER_POLICY: 'A response was blocked by the embedder policy, or by Opaque Response Blocking.',
    DEPRECATION: 'A feature is deprecated or was removed.',
    FORM: 'A form or one of its fields has an error, such as a missing label.',
    HEAVY_AD: 'An ad took too much CPU or network.',
    LOW_TEXT_CONTRAST: 'Text is hard to read.',
    MIXED_CONTENT: 'A secure page requested an insecure resource.',
    PERMISSION: 'A permission or policy prevented something.',
    QUIRKS_MODE: 'The document is rendered in quirks mode.',
    OTHER: 'Any other.',
  }),
})

const Issue = entryType(
  'ISSUE',
  'A problem found by the browser, as listed in the Issues panel of DevTools. Each problem of a page is recorded once.',
)

builder.objectFields(Issue, (t) => ({
  issueCode: t.string({
    description: 'Code of the issue in the browser: CorsIssue, QuirksModeIssue …; for generic issues their type.',
    resolve: ({ entry }) => entry.data.code,
  }),
  category: t.field({
    type: IssueCategoryEnum,
    description: 'Category of the issue.',
    resolve: ({ entry }) => entry.data.category,
  }),
  message: t.string({
    description: 'The problem in a sentence, with the reason that the browser gave.',
    resolve: ({ entry }) => entry.data.message,
  }),
  affectedRequestId: t.id({
    nullable: true,
    description:
      'Id of the affected NetworkRequest, for `node`. Null if it affects none, or if the browser did not report which.',
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
    description: 'Source location. Null if the browser reports none.',
    resolve: ({ entry: { data } }) =>
      data.url === null ? null : { url: data.url, line: data.line, column: data.column },
  }),
  pageId: t.id({
    nullable: true,
    description: 'The page, as in Session.pages. Null if it belongs to no page, such as a service worker.',
    resolve: ({ entry }) => entry.data.pageId,
  }),
  details: t.field({
    type: 'JSON',
    description:
      'All details reported by the browser, as in the Audits domain of the Chrome DevTools Protocol, without its ids.',
    resolve: ({ entry }) => entry.data.details,
  }),
  detailsOmitted: t.int({
    description: 'Number of values omitted from details or truncated; 0 if it is complete.',
    resolve: ({ entry }) => entry.data.detailsOmitted,
  }),
}))
