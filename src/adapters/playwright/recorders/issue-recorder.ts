import { TEXT_LIMITS, type EntryData } from '../../../ports/log-entry.ts'
import type { EventSink } from '../../../ports/browser.ts'
import type { CdpConnection } from '../cdp/connection/cdp-connection.ts'
import type { CdpEvents } from '../cdp/protocol/cdp-events.ts'
import { cutText, cutUrl } from '../cdp/protocol/cut-text.ts'
import type { TargetRegistry, TrackedSession } from '../cdp/targets/target-registry.ts'
import { boundedJson } from './bounded-json.ts'
import type { DraftQueue } from './draft-queue.ts'
import { describeIssue } from './issue-text.ts'

/** Issues of a document that are told apart; the browser keeps about as many. */
const MOST_KNOWN = 1_000
const DETAILS = { values: 100, depth: 5, text: TEXT_LIMITS.issue }
/** They name things within one run of the browser only. */
const IDS: ReadonlySet<string> = new Set([
  'requestId',
  'frameId',
  'loaderId',
  'scriptId',
  'issueId',
  'violatingNodeId',
  'nodeId',
  'documentNodeId',
])
/** Elements that are looked up at a time: each is a round trip. */
const MOST_LOOKUPS = 8
/** Of the start tag of an element. */
const ELEMENT_TEXT = 512

type Details = Readonly<Record<string, unknown>>
type Members = Partial<Record<string, unknown>>

/** The issues that the browser finds on pages, as the Issues panel of DevTools has them. */
export class IssueRecorder {
  readonly #wire: CdpConnection
  readonly #recorder: EventSink
  readonly #drafts: DraftQueue
  readonly #requestNumber: (requestId: string) => number | null
  /** Of each session of the protocol: what was told of its documents. */
  readonly #known = new Map<string, Set<string>>()
  #lookups = 0

  constructor(
    wire: CdpConnection,
    targets: TargetRegistry,
    recorder: EventSink,
    drafts: DraftQueue,
    requestNumber: (requestId: string) => number | null,
  ) {
    this.#wire = wire
    this.#recorder = recorder
    this.#drafts = drafts
    this.#requestNumber = requestNumber
    wire.on('Audits.issueAdded', (event, sessionId) => {
      const session = targets.speaker(sessionId)
      if (session) this.#added(event, session)
    })
    wire.on('Page.frameNavigated', ({ frame }, sessionId = '') => {
      if (frame.parentId === undefined) this.#known.delete(sessionId)
    })
  }

  sessionEnded({ sessionId }: TrackedSession): void {
    this.#known.delete(sessionId)
  }

  #added({ issue }: CdpEvents['Audits.issueAdded'], session: TrackedSession): void {
    const code = String(issue.code)
    const details: Details = objectOf(Object.values(issue.details ?? {})[0])
    // The browser's own page of an error is no page of anybody's.
    if (typeof details['url'] === 'string' && details['url'].startsWith('chrome-error:')) return
    const { json, omitted } = boundedJson(details, DETAILS, IDS)
    if (!this.#isNew(session.sessionId, `${code} ${nodeOf(details) ?? ''} ${JSON.stringify(json)}`)) return
    const request = objectOf(details['request'] ?? details['failedRequestInfo'])
    const place = objectOf(details['sourceCodeLocation'] ?? details['location'])
    const affectedUrl = [
      request['url'],
      details['blockedURL'],
      details['insecureURL'],
      details['cookieUrl'],
      details['url'],
    ]
      .filter((url) => typeof url === 'string' && url !== '')
      .at(0) as string | undefined
    const described = describeIssue(code, details)
    const data: EntryData['ISSUE'] = {
      code: cutText(described.code, TEXT_LIMITS.issue),
      category: described.category,
      message: cutText(described.message, TEXT_LIMITS.issue),
      requestId: typeof request['requestId'] === 'string' ? this.#requestNumber(request['requestId']) : null,
      affectedUrl: affectedUrl === undefined ? null : cutUrl(affectedUrl),
      affectedElement: null,
      url: typeof place['url'] === 'string' ? cutUrl(place['url']) : null,
      line: numberOf(place['lineNumber']),
      column: numberOf(place['columnNumber']),
      pageId: session.page?.pageId ?? null,
      details: json,
      detailsOmitted: omitted,
    }
    this.#record(data, nodeOf(details), session.sessionId)
  }

  #record(data: EntryData['ISSUE'], node: number | null, sessionId: string): void {
    const at = Date.now()
    if (node === null || this.#lookups >= MOST_LOOKUPS) return this.#recorder.record({ kind: 'ISSUE', at, data })
    this.#lookups += 1
    let affectedElement: string | null = null
    const found = this.#wire.send('DOM.describeNode', { backendNodeId: node }, sessionId).then(
      ({ node: { localName, attributes = [] } }) => {
        affectedElement = cutText(startTag(localName, attributes), ELEMENT_TEXT)
      },
      // The element is gone, or its page.
      () => undefined,
    )
    this.#drafts.hold(
      () => ({ kind: 'ISSUE', at, data: { ...data, affectedElement } }),
      found.finally(() => (this.#lookups -= 1)),
      () => undefined,
    )
  }

  #isNew(sessionId: string, key: string): boolean {
    const known = this.#known.get(sessionId) ?? new Set()
    this.#known.set(sessionId, known)
    if (known.has(key)) return false
    if (known.size < MOST_KNOWN) known.add(key)
    return true
  }
}

function objectOf(value: unknown): Members {
  return typeof value === 'object' && value !== null ? value : {}
}

const numberOf = (index: unknown) => (typeof index === 'number' ? index + 1 : null)

function nodeOf(details: Details): number | null {
  const node = details['violatingNodeId'] ?? details['nodeId']
  return typeof node === 'number' && node > 0 ? node : null
}

function startTag(name: string, attributes: readonly string[]): string {
  const pairs: string[] = []
  for (let at = 0; at + 1 < attributes.length; at += 2)
    pairs.push(` ${attributes[at]}=${JSON.stringify(attributes[at + 1])}`)
  return `<${name}${pairs.join('')}>`
}
