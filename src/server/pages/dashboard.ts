import { readdir, readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { DASHBOARD } from '../../package-files.ts'
import { PageAssets } from './page-assets.ts'

const ASSETS = new URL('dashboard/assets/', DASHBOARD)

/** Hosts that a policy can name; an IPv6 address it cannot. */
const ORIGIN = /^https?:\/\/[\w.-]+(:\d+)?$/

/**
 * Nothing inline, and no other host but the one that downloads are redirected to, if configured: text from observed
 * pages can do no harm here, whatever it is.
 */
function policyWith(downloads: string | null): string {
  const also = downloads !== null && ORIGIN.test(downloads) ? ` ${downloads}` : ''
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    `img-src 'self' data: blob:${also}`,
    `media-src 'self'${also}`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}

interface Page {
  html: Buffer
  assets: PageAssets
}

/** The dashboard at `/`: built files, read on the first request for the page. */
export class Dashboard {
  readonly #policy: string
  #page: Promise<Page | null> | null = null

  /** `downloads`: the origin that downloads are redirected to; null: this server. */
  constructor(downloads: string | null) {
    this.#policy = policyWith(downloads)
  }

  /** Returns false if it has not been built. */
  async servePage(response: ServerResponse): Promise<boolean> {
    const page = await this.#load()
    if (!page) return false
    response.writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': this.#policy,
      'cache-control': 'no-cache',
      'content-length': page.html.length,
    })
    response.end(page.html)
    return true
  }

  /** Returns false if there is no such file. */
  async serveAsset(name: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    return (await (await this.#load())?.assets.serve(name, request, response)) ?? false
  }

  async #load(): Promise<Page | null> {
    this.#page ??= loadPage()
    try {
      const page = await this.#page
      // It may be built while the server runs.
      if (!page) this.#page = null
      return page
    } catch (error) {
      this.#page = null
      throw error
    }
  }
}

async function loadPage(): Promise<Page | null> {
  const html = await readFile(new URL('index.html', DASHBOARD)).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  })
  if (!html) return null
  const assets = new PageAssets()
  for (const name of await readdir(ASSETS)) assets.add(name, await readFile(new URL(name, ASSETS)))
  return { html, assets }
}
