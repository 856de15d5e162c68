import { Har, type HarSource } from '../../src/domain/exports/har.ts'
import { matchesFilter } from '../../src/domain/log/entries/entry-filter.ts'
import { RequestTextsReader } from '../../src/contract/entries/request-texts-reader.ts'
import type { EntryDraft, EntryFilter, LogEntry } from '../../src/ports/log/log-entry.ts'
import type { EntryQuery, EntryStep } from '../../src/ports/store/store.ts'
import { numbered } from '../contracts/store-samples.ts'
import { readHar } from './har-format.ts'

const AT = 1_700_000_000_000
const NEVER = new AbortController().signal
const SESSION = { sessionId: '01930000-0000-7000-8000-000000000001', owner: 'ann' }

/** As a store returns entries that it has not parsed. */
function asStored(entries: readonly LogEntry[]): LogEntry[] {
  const reader = new RequestTextsReader()
  return entries.map((entry) => {
    const texts = entry.kind === 'NETWORK_REQUEST' ? reader.read(JSON.stringify(entry.data)) : null
    return texts ? Object.assign(entry, { texts }) : entry
  })
}

/** A log in memory, read in steps of the given number of entries. */
function sourceOf(
  drafts: readonly EntryDraft[],
  bodies: Record<string, Uint8Array> = {},
  isDeleted = false,
  hasTexts = false,
  stepEntries = 3,
) {
  const entries = hasTexts ? asStored(numbered(drafts)) : numbered(drafts)
  const readEntries = async ({ after = 0, before = Infinity, filter }: EntryQuery): Promise<EntryStep> => {
    const left = entries.filter(({ sequence }) => sequence > after && sequence < before)
    const looked = left.slice(0, stepEntries)
    const found = looked.filter((entry) => matchesFilter(entry, filter))
    const scannedTo = looked.at(-1)?.sequence ?? after
    return { entries: found, bytes: 0, scannedTo, done: looked.length === left.length }
  }
  const findEntry = async (_: string, sequence: number) => (isDeleted ? null : entries[sequence - 1]!)
  const source: HarSource = {
    store: { readEntries, findEntry },
    readBody: async (_, { sha256 }) => bodies[sha256 ?? ''] ?? null,
  }
  return { source, upTo: entries.length }
}

interface Made {
  filter?: EntryFilter
  bodies?: Record<string, Uint8Array>
  isTimeUp?: () => boolean
  /** Whether retention has deleted it in the meantime. */
  isDeleted?: boolean
  /** Whether requests are as they are stored, where they can be; otherwise all are parsed. */
  hasTexts?: boolean
}

/** A HAR of these entries. */
export async function harText(
  drafts: readonly EntryDraft[],
  { filter = { kinds: null }, bodies, isTimeUp, isDeleted, hasTexts }: Made = {},
) {
  const { source, upTo } = sourceOf(drafts, bodies, isDeleted, hasTexts)
  const pieces = new Har(source, { ...SESSION, after: 0, upTo, filter }, { isTimeUp }).pieces(NEVER)
  return (await Array.fromAsync(pieces)).join('')
}

/** The log of a HAR of these entries. Throws if it is invalid. */
export const harOf = async (drafts: readonly EntryDraft[], made: Made = {}) => readHar(await harText(drafts, made)).log

const socket = (webSocketId: number) => ({ webSocketId, url: `ws://127.0.0.1/${webSocketId}`, pageId: 'p1' })
/** Also for kinds and members of older versions. */
export const draftOf = (kind: string, at: number, data: object) => ({ kind, at, data }) as EntryDraft

export const opened = (id: number, at = AT) => draftOf('WEB_SOCKET_OPENED', at, socket(id))
export const closed = (id: number, error: string | null = null, more: object = {}) =>
  draftOf('WEB_SOCKET_CLOSED', AT + 500, { ...socket(id), framesSent: 0, framesReceived: 0, error, ...more })
export const said = (id: number, ...messages: object[]) =>
  draftOf('WEB_SOCKET_MESSAGES', AT + 100, { ...socket(id), messages })
export const sent = (text: string, at = AT + 100) => ({ at, direction: 'SENT', opcode: 'TEXT', text, base64: null })
export const received = (base64: string) => ({
  at: AT + 250,
  direction: 'RECEIVED',
  opcode: 'BINARY',
  text: null,
  base64,
})
