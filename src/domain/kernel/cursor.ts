import { crc32 } from 'node:zlib'
import type { SessionPosition } from '../../ports/store/store.ts'
import { TabwireError } from './errors.ts'

/**
 * Cursors are opaque and verify themselves (guarantee 6): each contains a checksum of its position, so that a damaged
 * one, or one of another session, is rejected and never skips silently. The checksum is not a secret: a forged cursor
 * could only point to a position in a log that the forger owns.
 */
export class CursorInvalid extends TabwireError {
  override readonly code = 'CURSOR_INVALID'

  constructor(argument: string) {
    super(`The cursor in "${argument}" was not made by this log or list.`)
  }
}

const ENTRY = /^e([0-9a-z]{1,8})\.([0-9a-z]{1,7})$/
const POSITION = /^[sa]([0-9a-z]{1,11})\.([0-9a-f]{32})\.([0-9a-z]{1,7})$/

const LATEST_TIME_MS = Date.UTC(9999, 11, 31)

const checksum = (text: string) => crc32(text).toString(36)

/** Cursor of an entry. Sequence 0 is before the first entry. */
export function encodeEntryCursor(sessionId: string, sequence: number): string {
  return `e${sequence.toString(36)}.${checksum(`${sessionId}:${sequence}`)}`
}

/** The sequence of this session that a cursor points to. */
export function decodeEntryCursor(sessionId: string, cursor: string, argument: string): number {
  const match = ENTRY.exec(cursor)
  const sequence = match ? Number.parseInt(match[1]!, 36) : Number.NaN
  if (!match || encodeEntryCursor(sessionId, sequence) !== cursor) throw new CursorInvalid(argument)
  return sequence
}

/** A position in a list that is ordered by (createdAt, id). */
type Position = SessionPosition

/** Cursor of a session in its owner's list. */
export function encodeSessionCursor(owner: string, position: Position): string {
  return encodePosition('s', owner, position)
}

export function decodeSessionCursor(owner: string, cursor: string, argument: string): Position {
  return decodePosition('s', owner, cursor, argument)
}

/** Cursor of an artifact in its session's list. */
export function encodeArtifactCursor(sessionId: string, position: Position): string {
  return encodePosition('a', sessionId, position)
}

export function decodeArtifactCursor(sessionId: string, cursor: string, argument: string): Position {
  return decodePosition('a', sessionId, cursor, argument)
}

function encodePosition(kind: 's' | 'a', list: string, position: Position): string {
  const body = `${kind}${position.createdAt.toString(36)}.${position.id.replaceAll('-', '')}`
  return `${body}.${checksum(`${list}:${body}`)}`
}

function decodePosition(kind: 's' | 'a', list: string, cursor: string, argument: string): Position {
  const match = POSITION.exec(cursor)
  if (!match) throw new CursorInvalid(argument)
  const createdAt = Number.parseInt(match[1]!, 36)
  // The checksum is not a secret: a forged time must still be comparable in the store.
  if (createdAt > LATEST_TIME_MS) throw new CursorInvalid(argument)
  const id = match[2]!.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  if (encodePosition(kind, list, { createdAt, id }) !== cursor) throw new CursorInvalid(argument)
  return { createdAt, id }
}
