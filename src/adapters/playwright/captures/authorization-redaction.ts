import type { HttpCredentials } from '../../../ports/emulation.ts'

/** A request as HARs and the network file of a trace have it. */
export interface ArchivedRequest {
  url: string
  headers: { name: string; value: string }[]
}

const NAME = 'authorization'

/** Takes the credentials of a session out of what is kept of its requests. Which scheme was used, stays. */
export class AuthorizationRedaction {
  readonly #origin: string

  constructor({ origin }: Pick<HttpCredentials, 'origin'>) {
    this.#origin = origin
  }

  /** Headers by name, in lower case, of a request. */
  headers(url: string, headers: Record<string, string>): Record<string, string> {
    const value = headers[NAME]
    return value === undefined || !this.areFor(url) ? headers : { ...headers, [NAME]: redacted(value) }
  }

  /** Changes it. */
  archived({ url, headers }: ArchivedRequest): void {
    if (!this.areFor(url)) return
    for (const header of headers) if (header.name.toLowerCase() === NAME) header.value = redacted(header.value)
  }

  /** A line of the network file of a trace. Null: it is none, as where the file breaks off. */
  lineOfTrace(line: string): string | null {
    try {
      const event = JSON.parse(line) as { snapshot?: { request?: ArchivedRequest } }
      if (event.snapshot?.request) this.archived(event.snapshot.request)
      return JSON.stringify(event)
    } catch {
      return null
    }
  }

  /** Whether a request may have them. The browser keeps them for WebSockets of the same host and port as well. */
  areFor(url: string): boolean {
    return URL.parse(url.replace(/^ws/, 'http'))?.origin === this.#origin
  }
}

const redacted = (value: string): string => `${/^[A-Za-z-]+(?= )/.exec(value)?.[0] ?? ''} [redacted]`.trim()
