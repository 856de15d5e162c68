import { expect, test } from 'vitest'
import { redactedEntry } from '../../src/domain/redaction/redacted-entry.ts'
import { Redaction } from '../../src/domain/redaction/redaction.ts'
import type { EntryDraft } from '../../src/ports/log/log-entry.ts'
import { consoleMessage, networkRequest } from '../contracts/store-samples.ts'
import { NO_REDACTION } from '../../src/ports/sessions/redaction.ts'

function failedAction(url: string): EntryDraft<'ACTION'> {
  const details = { url, finalUrl: url, expression: 'token=abc' }
  const error = { code: 'NAVIGATION_FAILED', message: `${url} could not be loaded: net::ERR_FAILED at ${url}` } as const
  const of = { type: 'NAVIGATE', origin: 'API', pageId: 'p1', startedAt: 1, success: false, durationMs: 1 } as const
  return {
    kind: 'ACTION',
    at: 1,
    data: { ...of, error, details, result: null, artifactId: null, taskId: null, cost: null },
  }
}

test('URLs of an action and of its error are masked as those of requests; the rest of its input is not', () => {
  const given = failedAction('http://u:p@a.test/?token=abc&q=1')
  const byRules = new Redaction({ ...NO_REDACTION, urlParameters: ['token'] })
  expect(redactedEntry(given, byRules)).toEqual(failedAction('http://[redacted]@a.test/?token=[redacted]&q=1'))
  expect(redactedEntry(given, new Redaction(NO_REDACTION))).toEqual(
    failedAction('http://[redacted]@a.test/?token=abc&q=1'),
  )
  const harmless = failedAction('http://a.test/')
  expect(redactedEntry(harmless, byRules)).toBe(harmless)
})

/** What the browser says of a page, whose URL it repeats. */
const repeatsOf = (url: string): EntryDraft[] => {
  const stack = `Error: no\n    at shop (${url}:10:3)\n    at ${url}:1:1`
  const initiator = { type: 'SCRIPT', url, line: 10, column: 3, stack, requestId: null } as const
  const thrown = [{ type: 'object', subtype: 'error', description: stack }]
  return [
    consoleMessage('no', { level: 'ERROR', url, stack, arguments: thrown }),
    networkRequest(1, { initiator }),
    {
      kind: 'ISSUE',
      at: 1,
      data: {
        code: 'CorsIssue',
        category: 'CORS',
        message: `${url} was blocked.`,
        requestId: null,
        affectedUrl: url,
        affectedElement: null,
        url,
        line: 1,
        column: 1,
        pageId: 'p1',
        details: { request: { url }, frames: [{ url }] },
        detailsOmitted: 0,
      },
    },
  ]
}

test('URLs of a page are masked wherever the browser repeats them: stacks, thrown errors, issues', () => {
  const byRules = new Redaction({ ...NO_REDACTION, urlParameters: ['token'] })
  const masked = repeatsOf('http://a.test/?q=1&token=[redacted]')
  expect(repeatsOf('http://a.test/?q=1&token=abc').map((draft) => redactedEntry(draft, byRules))).toEqual(masked)
  for (const draft of repeatsOf('http://a.test/?q=1')) expect(redactedEntry(draft, byRules)).toBe(draft)
})
