import type { HttpCredentials } from '../../../ports/browser/emulation.ts'

/** A request in the format of HARs and of a trace's network file. */
export interface ArchivedRequest {
  url: string
  headers: { name: string; value: string }[]
}

const NAME = 'authorization'

/** Removes the credentials of a session from its recorded requests. The name of the scheme is kept. */
export class AuthorizationRedaction {
  readonly #origin: string

  constructor({ origin }: Pick<HttpCredentials, 'origin'>) {
    this.#origin = origin
  }

  /** Headers of a request, by lower-case name. */
  headers(url: string, headers: Record<string, string>): Record<string, string> {
    const value = headers[NAME]
    return value === undefined || !this.areFor(url) ? headers : { ...headers, [NAME]: redacted(value) }
  }

  /** Changes it in place. */
  archived({ url, headers }: ArchivedRequest): void {
    if (!this.areFor(url)) return
    for (const header of headers) if (header.name.toLowerCase() === NAME) header.value = redacted(header.value)
  }

  /** A line of a trace's network file. Null: it is not valid JSON, such as where the file was truncated. */
  lineOfTrace(line: string): string | null {
    try {
      const event = JSON.parse(line) as { snapshot?: { request?: ArchivedRequest } }
      if (event.snapshot?.request) this.archived(event.snapshot.request)
      return JSON.stringify(event)
    } catch {
      return null
    }
  }

  /** Whether a request may carry them. The browser uses them for WebSockets of the same host and port as well. */
  areFor(url: string): boolean {
    return URL.parse(url.replace(/^ws/, 'http'))?.origin === this.#origin
  }
}

const redacted = (value: string): string => `${/^[A-Za-z-]+(?= )/.exec(value)?.[0] ?? ''} [redacted]`.trim()
