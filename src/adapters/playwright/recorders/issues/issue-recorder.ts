import { TEXT_LIMITS, type EntryData, type EntryDraft } from '../../../../ports/log/log-entry.ts'
import type { EventSink } from '../../../../ports/browser/browser.ts'
import type { CdpConnection } from '../../cdp/connection/cdp-connection.ts'
import type { CdpEvents } from '../../cdp/protocol/cdp-events.ts'
import { cutText, cutUrl } from '../../cdp/protocol/cut-text.ts'
import type { TargetRegistry, TrackedSession } from '../../cdp/targets/target-registry.ts'
import { boundedJson } from './bounded-json.ts'
import type { DraftQueue } from '../console/draft-queue.ts'
import { describeIssue } from './issue-text.ts'
import type { RequestNumbers } from '../exchanges/request-numbers.ts'

/** Most remembered issues of a document, for detecting duplicates; the browser keeps about as many. */
const MAX_KNOWN = 1_000
const DETAILS = { values: 100, depth: 5, text: TEXT_LIMITS.issue }
/** Members that identify things only within one run of the browser. */
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
/** Concurrent lookups of elements: each is a round trip. */
const MAX_LOOKUPS = 8
/** Length of the start tag of an element. */
const ELEMENT_TEXT = 512

type Details = Readonly<Record<string, unknown>>
type Members = Partial<Record<string, unknown>>

/** Issues that the browser finds on pages, as in the Issues panel of DevTools. */
export class IssueRecorder {
  readonly #connection: CdpConnection
  readonly #recorder: EventSink
  readonly #drafts: DraftQueue
  readonly #numbers: RequestNumbers
  /** Reported issues of each CDP session's documents. */
  readonly #known = new Map<string, Set<string>>()
  #lookups = 0

  constructor(
    connection: CdpConnection,
    targets: TargetRegistry,
    recorder: EventSink,
    drafts: DraftQueue,
    numbers: RequestNumbers,
  ) {
    this.#connection = connection
    this.#recorder = recorder
    this.#drafts = drafts
    this.#numbers = numbers
    connection.on('Audits.issueAdded', (event, sessionId) => {
      const session = targets.source(sessionId)
      if (session) this.#added(event, session)
    })
    connection.on('Page.frameNavigated', ({ frame }, sessionId = '') => {
      if (frame.parentId === undefined) this.#known.delete(sessionId)
    })
  }

  sessionEnded({ sessionId }: TrackedSession): void {
    this.#known.delete(sessionId)
  }

  #added({ issue }: CdpEvents['Audits.issueAdded'], session: TrackedSession): void {
    const code = String(issue.code)
    const details: Details = objectOf(Object.values(issue.details ?? {})[0])
    // The browser's own error page belongs to no site.
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
      requestId: null,
      affectedUrl: affectedUrl === undefined ? null : cutUrl(affectedUrl),
      affectedElement: null,
      url: typeof place['url'] === 'string' ? cutUrl(place['url']) : null,
      line: numberOf(place['lineNumber']),
      column: numberOf(place['columnNumber']),
      pageId: session.page?.pageId ?? null,
      details: json,
      detailsOmitted: omitted,
    }
    const browserId = typeof request['requestId'] === 'string' ? request['requestId'] : null
    this.#record(data, nodeOf(details), browserId, session.sessionId)
  }

  /** The page's process may report the request or the element after the network process has reported the issue. */
  #record(data: EntryData['ISSUE'], node: number | null, browserId: string | null, sessionId: string): void {
    const at = Date.now()
    const draft = (): EntryDraft<'ISSUE'> => ({
      kind: 'ISSUE',
      at,
      data: { ...data, requestId: browserId === null ? null : this.#numbers.of(browserId) },
    })
    const isUnknown = browserId !== null && this.#numbers.of(browserId) === null
    const looksUp = node !== null && this.#lookups < MAX_LOOKUPS
    if (!isUnknown && !looksUp) return this.#recorder.record(draft())
    let affectedElement: string | null = null
    const found = looksUp ? this.#startTag(node, sessionId).then((tag) => void (affectedElement = tag)) : null
    const known = isUnknown ? this.#numbers.known(browserId) : null
    const make = (): EntryDraft<'ISSUE'> => {
      const made = draft()
      return { ...made, data: { ...made.data, affectedElement } }
    }
    this.#drafts.hold(
      make,
      Promise.all([found, known]).then(() => undefined),
      () => {
        if (isUnknown) this.#numbers.giveUp(browserId)
      },
    )
  }

  /** Never rejects. Null: the element is gone, or its page. */
  async #startTag(backendNodeId: number, sessionId: string): Promise<string | null> {
    this.#lookups += 1
    try {
      const { node } = await this.#connection.send('DOM.describeNode', { backendNodeId }, sessionId)
      return cutText(startTag(node.localName, node.attributes ?? []), ELEMENT_TEXT)
    } catch {
      return null
    } finally {
      this.#lookups -= 1
    }
  }

  #isNew(sessionId: string, key: string): boolean {
    const known = this.#known.get(sessionId) ?? new Set()
    this.#known.set(sessionId, known)
    if (known.has(key)) return false
    if (known.size < MAX_KNOWN) known.add(key)
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
