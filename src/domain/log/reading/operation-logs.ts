import type { LogEntry } from '../../../ports/log/log-entry.ts'
import { approximateSize } from '../entries/entry-size.ts'
import type { LogFollower } from './log-follower.ts'
import type { FollowArguments, LogPage, LogPageArguments, LogReader } from './log-reader.ts'
import type { OperationReads } from './operation-reads.ts'
import type { SessionSnapshot } from '../entries/session-snapshot.ts'

/** The logs of sessions as read by one operation: within its bounds, and only while its caller waits. */
export class OperationLogs {
  readonly #reader: LogReader
  readonly #reads: OperationReads

  constructor(reader: LogReader, reads: OperationReads) {
    this.#reader = reader
    this.#reads = reads
  }

  /** See LogReader. */
  follow(session: SessionSnapshot, args: FollowArguments, signal: AbortSignal): LogFollower {
    return this.#reader.follow(session, args, signal, this.#reads.space)
  }

  /** See LogReader. */
  page(session: SessionSnapshot, args: LogPageArguments): Promise<LogPage> {
    return this.#reader.page(session, args, this.#reads)
  }

  findEntry(sessionId: string, sequence: number): Promise<LogEntry | null> {
    return this.#reads.read(0, () => this.#reader.findEntry(sessionId, sequence), sizeOf)
  }

  findRequest(sessionId: string, requestId: number): Promise<LogEntry | null> {
    return this.#reads.read(0, () => this.#reader.findRequest(sessionId, requestId), sizeOf)
  }
}

const sizeOf = (entry: LogEntry | null) => (entry ? approximateSize(entry.data) : 0)
