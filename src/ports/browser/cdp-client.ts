import type { GivenFile } from './action.ts'
import type { EntryData } from '../log/log-entry.ts'

/** The remote end of a connection over which a client speaks the Chrome DevTools Protocol to a session's browser. */
export interface CdpClient {
  /** Sends one text message, given in pieces to avoid copying. Never throws. */
  send(pieces: readonly Uint8Array[]): void
  /** The user of the client's process, if it is on this machine; null: remote or unknown. May reject. */
  localUser(): Promise<number | null>
  /** Bytes that are buffered for sending. */
  readonly unsentBytes: number
  /** Pauses and resumes delivery of the client's messages. */
  pause(): void
  resume(): void
  close(code: number, reason: string): void
}

/** A client's command that corresponds to a person's action in a browser: an entry of the action log. */
export type ClientAct = Pick<
  EntryData['ACTION'],
  'type' | 'pageId' | 'startedAt' | 'success' | 'error' | 'durationMs' | 'details'
>

/** A file that was uploaded to the session. */
export interface NamedUpload extends GivenFile {
  artifactId: string
}

/** Requests and notifications of a browser to the session that a client is attached to. Calls never throw. */
export interface CdpClientHost {
  /** Why an address may not be opened, for people; null: it may. */
  refuseAddress(url: string): string | null
  /** The session's newest upload with the file name at the end of the path; null: none. May reject. */
  uploadNamed(path: string): Promise<NamedUpload | null>
  /** The client sent a command. */
  commanded(): void
  /**
   * The client started or stopped waiting for responses to commands. Calls alternate; after `detach` it waits for none.
   */
  underWay(isUnderWay: boolean): void
  acted(act: ClientAct): void
}

/** A client's attachment to a browser. */
export interface CdpAttachment {
  /**
   * A text message of the client, in valid UTF-8, in pieces that nobody else changes. Void: it was handled; otherwise
   * resolves when it is, and is held until then. Never throws; may reject.
   */
  receive(message: readonly Uint8Array[]): void | Promise<void>
  /**
   * Detaches from the browser: the client's settings are reverted, the effects of its actions remain. Idempotent; never
   * rejects.
   */
  detach(): Promise<void>
}
