import type { Page, Response } from 'playwright'

/** What the server answered last to a navigation of the page, from now until `stop`. */
export class DocumentStatus {
  /** HTTP status; null: it has not answered. */
  last: number | null = null
  readonly #page: Page
  readonly #listener: (response: Response) => void

  constructor(page: Page) {
    this.#page = page
    this.#listener = (response) => {
      const request = response.request()
      if (request.isNavigationRequest() && request.frame() === page.mainFrame()) this.last = response.status()
    }
    page.on('response', this.#listener)
  }

  /** The browser takes such an answer for no download, though it begins as one. */
  get isError(): boolean {
    return this.last !== null && this.last >= 400
  }

  stop(): void {
    this.#page.off('response', this.#listener)
  }
}
