import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import sendFile from 'send'
import { TRACE_VIEWER_PATH } from '../../http-paths.ts'
import { answerJson, answerNotFound } from '../base/json-response.ts'

/**
 * Only what the viewer needs, and no other host: a service worker that unpacks the trace, frames that show the recorded
 * pages (to which it gives a policy of its own, without their scripts), and unpacked images.
 */
function policyFor(folder: string): string {
  const inline = [...readFileSync(join(folder, 'index.html'), 'utf8').matchAll(/<script>([\s\S]*?)<\/script>/g)]
  const hashes = inline.map(([, code]) => `'sha256-${createHash('sha256').update(code!).digest('base64')}'`)
  return [
    "default-src 'none'",
    `script-src 'self' ${hashes.join(' ')}`.trim(),
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "media-src 'self' data: blob:",
    "font-src 'self' data:",
    "connect-src 'self' data: blob:",
    "worker-src 'self'",
    "frame-src 'self' data: blob:",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'self'",
  ].join('; ')
}

/** Serves Playwright's trace viewer, whose files are in `root`, at /trace/: static files without any user's data. */
export function createTraceViewer(root: string) {
  let policy: string | null = null

  return async (request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD')
      return answerJson(response, 405, { error: { code: 'METHOD_NOT_ALLOWED', message: 'Use GET, HEAD.' } })
    }
    const path = url.pathname.slice(TRACE_VIEWER_PATH.length - 1)
    const file = sendFile(request, path, {
      root,
      index: 'index.html',
      dotfiles: 'deny',
      maxAge: 0,
      acceptRanges: false,
    })
    let missing = false
    file.on('headers', (headers: ServerResponse) => {
      policy ??= policyFor(root)
      headers.setHeader('content-security-policy', policy)
      headers.setHeader('x-frame-options', 'SAMEORIGIN')
    })
    // Any problem with the path is a 404; folders have no listing or redirect.
    const answer = () => {
      missing = true
      if (response.headersSent) response.destroy()
      else answerNotFound(response)
    }
    file.on('error', answer)
    file.on('directory', answer)
    file.pipe(response)
    await finished(response).catch((error: unknown) => {
      // A client that disconnects is not an error.
      if (!missing && !response.destroyed) throw error
    })
  }
}
