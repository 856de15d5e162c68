import type { GivenFile } from './action.ts'
import type { EntryData } from './log-entry.ts'

/** The far end of a connection over which a client speaks the Chrome DevTools Protocol with a session's browser. */
export interface CdpClient {
  /** Sends one text message, given in pieces that are not to be copied. Never throws. */
  send(pieces: readonly Uint8Array[]): void
  /** The user whose process it is, where that is on this machine; null: it is not, or is not known. May reject. */
  localUser(): Promise<number | null>
  /** What was sent and has not left yet, in bytes. */
  readonly unsentBytes: number
  /** Stops, and goes on, handing over what the client sends. */
  pause(): void
  resume(): void
  close(code: number, reason: string): void
}

/** What a client does that a person at the browser would: an entry of the action log. */
export type ClientAct = Pick<
  EntryData['ACTION'],
  'type' | 'pageId' | 'startedAt' | 'success' | 'error' | 'durationMs' | 'details'
>

/** A file that was uploaded to the session. */
export interface NamedUpload extends GivenFile {
  artifactId: string
}

/** What a browser asks of, and tells, the session that a client is attached to. Calls never throw. */
export interface CdpClientHost {
  /** Why an address is not opened, for people; null: it is. */
  refuseAddress(url: string): string | null
  /** The session's newest upload that is called as the last part of the path; null: there is none. May reject. */
  uploadNamed(path: string): Promise<NamedUpload | null>
  /** The client sent a command. */
  commanded(): void
  /** The client waits for the answer to a command, or to none any more. Told in turn; none is waited for after `detach`. */
  underWay(isUnderWay: boolean): void
  acted(act: ClientAct): void
}

/** A client's hold on a browser. */
export interface CdpAttachment {
  /** A message of the client. Never throws. */
  receive(text: string): void
  /** Lets go of the browser: what the client had set is undone, what it did stays. Idempotent; never rejects. */
  detach(): Promise<void>
}
