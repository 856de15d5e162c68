import type { IncomingMessage, ServerResponse } from 'node:http'
import { DEMO_PATH } from '../../http-paths.ts'
import { answerJson, answerNotFound } from '../base/json-response.ts'
import { DEMO_HTML, DEMO_ORDER_FAILURE, DEMO_PRODUCTS, DEMO_SCRIPT, DEMO_STYLE } from './demo-files.ts'

const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  'img-src data:',
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const FILES: Record<string, { contentType: string; content: string }> = {
  '': { contentType: 'text/html', content: DEMO_HTML },
  'style.css': { contentType: 'text/css', content: DEMO_STYLE },
  'script.js': { contentType: 'text/javascript', content: DEMO_SCRIPT },
}

/** The demo page: static, the same for everyone, so it needs no key. */
export async function serveDemo(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
  const name = url.pathname.slice(DEMO_PATH.length)
  if (request.method !== 'GET' && request.method !== 'HEAD') return answerNotFound(response)
  response.setHeader('cache-control', 'no-store')
  if (name === 'products.json') return answerJson(response, 200, DEMO_PRODUCTS)
  // The faults that the page demonstrates.
  if (name === 'orders/42') return answerJson(response, 500, DEMO_ORDER_FAILURE)
  const file = Object.hasOwn(FILES, name) ? FILES[name] : undefined
  if (!file) return answerNotFound(response)
  response.writeHead(200, {
    'content-type': `${file.contentType}; charset=utf-8`,
    'content-security-policy': CONTENT_SECURITY_POLICY,
    'content-length': Buffer.byteLength(file.content),
  })
  response.end(file.content)
}
