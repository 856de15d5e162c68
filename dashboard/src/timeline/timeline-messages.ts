import { bytes, count } from '../base/format.ts'
import type { Json } from '../api/graphql.ts'
import type { TimelineEntry } from '../log/session-logs.ts'
import { messages } from '../base/messages.ts'

const { timeline } = messages

/** Kind of an entry, in a word or two. */
export function kindOf(entry: TimelineEntry): string {
  if (entry.__typename !== 'Action') return timeline.kinds[entry.__typename]
  return sentenceCase(entry.type)
}

/** Summary of an entry, in a line. */
export function lineOf(entry: TimelineEntry): string {
  switch (entry.__typename) {
    case 'StatusChange': {
      const reason = entry.endReason === null ? '' : ` (${messages.endReason[entry.endReason]})`
      return `${messages.status[entry.to]}${reason}${after(entry.errorMessage)}`
    }
    case 'Navigation':
      return entry.url + (entry.sameDocument ? ` (${timeline.sameDocument})` : '')
    case 'PageOpened':
    case 'PageClosed':
      return entry.url
    case 'PageCrashed':
      return entry.url + (entry.crashReason === null ? '' : ` (${entry.crashReason})`)
    case 'Issue':
      return entry.affectedUrl === null ? entry.message : `${entry.message} ${entry.affectedUrl}`
    case 'ExceptionHandled':
      return entry.message
    case 'Action': {
      const what = subjectOf(entry.details)
      return entry.error ? `${what}${what && ' – '}${entry.error.message}` : what
    }
    case 'ArtifactCreated':
      return `${messages.artifacts.kinds[entry.kind]} ${entry.name}`
    case 'ArtifactFailed':
      return `${messages.artifacts.kinds[entry.kind]} ${entry.name} – ${entry.message}`
    case 'WebSocketOpened':
      return entry.url
    case 'WebSocketClosed':
      return `${entry.url} (${timeline.frames(entry.framesSent, entry.framesReceived)})${after(closingOf(entry))}`
    case 'Download': {
      if (entry.failure !== null) return `${entry.suggestedFilename} ${timeline.failedWith(entry.failure)}`
      return `${entry.suggestedFilename}${entry.sizeBytes === null ? '' : ` (${bytes(entry.sizeBytes)})`}`
    }
    case 'Dialog':
      return `${entry.dialogType.toLowerCase()} “${entry.message}” (${entry.accepted ? timeline.accepted : timeline.dismissed})`
    case 'ClientAttached':
      return entry.name
    case 'ClientDetached':
      return `${entry.name} (${timeline.detached(entry.detachReason.toLowerCase().replaceAll('_', ' '), count(entry.commandCount))})`
    case 'EntriesDropped':
      return timeline.notRecorded(
        entry.count === null ? timeline.unknownNumber : count(entry.count),
        entry.reason.toLowerCase().replaceAll('_', ' '),
      )
    case 'TaskStep':
      return [entry.text, entry.calls.length > 0 ? timeline.asked(entry.calls.join(', ')) : '']
        .filter(Boolean)
        .join(' – ')
    case 'TaskEnded':
      return `${entry.taskStatus.toLowerCase()}${after(entry.errorMessage)}`
    case 'ConsoleMessage':
    case 'NetworkRequest':
    case 'WebSocketMessages':
    case 'EventSourceMessages':
      return ''
  }
}

export function isTrouble(entry: TimelineEntry): boolean {
  switch (entry.__typename) {
    case 'StatusChange':
      return entry.to === 'FAILED'
    case 'PageCrashed':
      return true
    case 'Action':
      return !entry.success
    case 'Download':
      return entry.failure !== null
    case 'WebSocketClosed':
      return entry.errorMessage !== null
    case 'TaskEnded':
      return entry.taskStatus === 'FAILED'
    default:
      return false
  }
}

/** Duration, for entries that have one. */
export function durationOf(entry: TimelineEntry): number | null {
  return 'durationMs' in entry ? entry.durationMs : null
}

/** Why a WebSocket was closed, as far as known. */
function closingOf(entry: Extract<TimelineEntry, { __typename: 'WebSocketClosed' }>): string | null {
  const { errorMessage, closedBy, closeCode, closeReason } = entry
  const frame = closeCode === null ? '' : [closeCode, closeReason].filter(Boolean).join(' ')
  const parts = [errorMessage ?? (closedBy && messages.socket.closers[closedBy]), frame].filter(Boolean)
  return parts.length > 0 ? parts.join(', ') : null
}

const after = (text: string | null) => (text === null ? '' : ` – ${text}`)

function sentenceCase(name: string): string {
  const words = name.toLowerCase().replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** The most useful details of an action: its target and input. */
function subjectOf(details: Json): string {
  if (typeof details !== 'object' || details === null || Array.isArray(details)) return ''
  const { url, finalUrl, target, value, text, key, expression, x, y } = details
  const place = typeof x === 'number' && typeof y === 'number' ? `${Math.round(x)}, ${Math.round(y)}` : undefined
  const parts = [finalUrl ?? url, targetOf(target) ?? place, value ?? text ?? key ?? expression]
  return parts
    .filter((part) => part !== undefined && part !== null && part !== '')
    .map((part) => (typeof part === 'string' ? part : JSON.stringify(part)))
    .join(' ')
}

/** {css: "#go"} as css=#go */
function targetOf(target: Json | undefined): Json | undefined {
  if (typeof target !== 'object' || target === null || Array.isArray(target)) return target
  return Object.entries(target)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ')
}
