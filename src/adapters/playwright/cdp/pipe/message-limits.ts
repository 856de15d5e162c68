const MIB = 1024 * 1024

/** Limits on the messages of one browser. Documented in docs/log.md. */
export interface MessageLimits {
  /** Bytes of a message that is parsed: measured, 16 MiB of text take 50 to 90 ms to decode and parse. */
  parsed: number
  /** Bytes of a message that is handed to a CDP client unparsed. */
  relayed: number
  /** Bytes of the unfinished messages of all browsers. Beyond them the largest counts as too large. */
  unfinished: number
  /** Bytes after which a message that is being skipped counts as endless. Chromium's own messages stay far below. */
  skipped: number
  /**
   * Values and distinct member names of a message that is parsed, since their number determines the time. Measured on
   * 16 MiB: text 60 ms, 5.6 million empty lists 0.9 s, 1.1 million objects of one distinct name each 1.8 s; that is
   * 0.16 to 0.25 µs per value, 1.7 µs per name, so these two take at most about 100 ms and 50 ms.
   */
  values: number
  names: number
  /**
   * Milliseconds by which a line may be late while a browser sends more than is read; later lines are counted instead
   * of read. 20,000 lines a second are 15 MB a second that wait in the browser; a slow machine may take as long for a
   * finite burst.
   */
  overdueMs: number
}

export const MESSAGE_LIMITS: MessageLimits = {
  parsed: 16 * MIB,
  relayed: 64 * MIB,
  unfinished: 256 * MIB,
  skipped: 4096 * MIB,
  values: 400_000,
  names: 30_000,
  overdueMs: 60_000,
}

/** The retained parts of a message that exceeds a limit. */
export interface OversizedMessage {
  /** Its first bytes: the id or the method, and the first members. */
  head: Buffer
  /** Its last bytes: the session id. */
  tail: Buffer
  bytes: number
}

const HEAD_BYTES = 4096
/** Longer than any `,"sessionId":"…"}`. */
const TAIL_BYTES = 128

/** The first bytes. Copied, because a part of a buffer keeps the whole alive. */
export function headOf(pieces: readonly Buffer[]): Buffer {
  const kept: Buffer[] = []
  let bytes = 0
  for (const piece of pieces) {
    if (bytes >= HEAD_BYTES) break
    const part = piece.subarray(0, HEAD_BYTES - bytes)
    kept.push(part)
    bytes += part.length
  }
  return Buffer.concat(kept)
}

/** The last bytes; the pieces of a message are in order. */
export function tailOf(pieces: readonly Buffer[]): Buffer {
  const kept: Buffer[] = []
  let bytes = 0
  for (let index = pieces.length - 1; index >= 0 && bytes < TAIL_BYTES; index -= 1) {
    const piece = pieces[index]!
    const part = piece.subarray(Math.max(0, piece.length - (TAIL_BYTES - bytes)))
    kept.unshift(part)
    bytes += part.length
  }
  return Buffer.concat(kept)
}
