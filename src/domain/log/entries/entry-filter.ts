import type { z } from 'zod'
import { BadUserInput } from '../../kernel/errors.ts'
import { inputIssues } from '../../kernel/input-issues.ts'
import { isFailedRequest } from '../../../contract/entries/network-request.ts'
import { CONSOLE_FILTER, EVENT_SOURCE_FILTER, NETWORK_FILTER, WEB_SOCKET_FILTER } from './entry-filter-input.ts'
import type {
  ConsoleFilter,
  EntryFilter,
  EventSourceFilter,
  LogEntry,
  NetworkFilter,
  WebSocketFilter,
} from '../../../ports/log/log-entry.ts'

/** A client's filter, checked and with duplicate values removed. Throws BadUserInput with every broken rule. */
export function checkedFilter({ kinds, console, network, webSocket, eventSource }: EntryFilter): EntryFilter {
  return {
    kinds: kinds && [...new Set(kinds)],
    console: console && parsed(CONSOLE_FILTER.rule, console),
    network: network && parsed(NETWORK_FILTER.rule, network),
    webSocket: webSocket && parsed(WEB_SOCKET_FILTER.rule, webSocket),
    eventSource: eventSource && parsed(EVENT_SOURCE_FILTER.rule, eventSource),
  }
}

function parsed<T>(rule: z.ZodType<T>, given: unknown): T {
  const { success, data, error } = rule.safeParse(given)
  if (success) return data
  throw new BadUserInput(inputIssues(error, ['filter']))
}

/**
 * Whether the filter lets the entry through. The store implements the same rules in SQL; a property test compares the
 * two. Absent and null members are ignored, an empty list matches nothing.
 */
export function matchesFilter(entry: LogEntry, filter: EntryFilter): boolean {
  if (filter.kinds && !filter.kinds.includes(entry.kind)) return false
  if (entry.kind === 'CONSOLE_MESSAGE') return matchesConsole(entry.data, filter.console ?? {})
  // The data of a stored request is parsed once it is read.
  if (entry.kind === 'NETWORK_REQUEST') return !filter.network || matchesNetwork(entry.data, filter.network)
  if (entry.kind === 'WEB_SOCKET_MESSAGES') return matchesWebSocket(entry.data, filter.webSocket ?? {})
  if (entry.kind === 'EVENT_SOURCE_MESSAGES') return matchesEventSource(entry.data, filter.eventSource ?? {})
  return true
}

function matchesConsole(message: LogEntry<'CONSOLE_MESSAGE'>['data'], filter: ConsoleFilter): boolean {
  const { levels, textContains, pageId } = filter
  if (levels && !levels.includes(message.level)) return false
  if (typeof textContains === 'string' && !contains(message.text, textContains)) return false
  return typeof pageId !== 'string' || message.pageId === pageId
}

function matchesNetwork(request: LogEntry<'NETWORK_REQUEST'>['data'], filter: NetworkFilter): boolean {
  const { urlContains, methods, resourceTypes, minStatus, maxStatus, outcomes, failedOnly } = filter
  if (typeof urlContains === 'string' && !contains(request.url, urlContains)) return false
  if (methods && !methods.some((method) => foldCase(method) === foldCase(request.method))) return false
  if (resourceTypes && !resourceTypes.includes(request.resourceType)) return false
  const { status } = request
  if (typeof minStatus === 'number' && (status === null || status < minStatus)) return false
  if (typeof maxStatus === 'number' && (status === null || status > maxStatus)) return false
  if (outcomes && !outcomes.includes(request.outcome)) return false
  return !failedOnly || isFailedRequest(request)
}

function matchesWebSocket(data: LogEntry<'WEB_SOCKET_MESSAGES'>['data'], filter: WebSocketFilter): boolean {
  const { webSocketId, pageId, textContains } = filter
  if (typeof webSocketId === 'number' && data.webSocketId !== webSocketId) return false
  if (typeof pageId === 'string' && data.pageId !== pageId) return false
  if (typeof textContains !== 'string') return true
  return data.messages.some(({ text }) => text !== null && contains(text, textContains))
}

function matchesEventSource(data: LogEntry<'EVENT_SOURCE_MESSAGES'>['data'], filter: EventSourceFilter): boolean {
  const { networkRequestId, pageId, textContains } = filter
  if (typeof networkRequestId === 'number' && data.requestId !== networkRequestId) return false
  if (typeof pageId === 'string' && data.pageId !== pageId) return false
  return typeof textContains !== 'string' || data.messages.some((message) => contains(message.data, textContains))
}

/**
 * Half of a surrogate pair is not text and never matches, as in the database: otherwise a live reader would find
 * "\uD83D" in an emoji, but not a reader who pages through the history.
 */
const contains = (text: string, part: string) => part.isWellFormed() && text.includes(part)

/** HTTP methods are ASCII, so only ASCII letters are folded, regardless of the locale. */
const foldCase = (method: string) => method.replace(/[a-z]/g, (letter) => letter.toUpperCase())
