import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import { runGraphiqlPage, type GraphiqlPageSettings } from './graphiql-page.ts'

const compressBrotli = promisify(brotliCompress)
const compressGzip = promisify(gzip)

type Encoding = 'br' | 'gzip'

interface Asset {
  contentType: string
  etag: string
  content: Buffer
  /** Made when it is first asked for, and kept. */
  compressed: Map<Encoding, Promise<Buffer>>
}

interface Page {
  html: string
  assets: Map<string, Asset>
}

const EXAMPLES = new URL('../../examples/', import.meta.url)

/** The icon in the tab of the browser: two hops of a wire. */
const ICON =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#12324a"/><path d="M5 21h6l4-11 5 14 3-8h4" fill="none" stroke="#7fd6ff" stroke-width="2.6" stroke-linecap="round" stroke-linejoin="round"/></svg>'

/**
 * Scripts and styles of our own only: no other host is asked for anything, so the page works offline and tells nobody
 * that it was opened. 'unsafe-inline' is for styles alone, which the editor writes while it runs.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/**
 * GraphiQL, offline. Its nine megabytes are read when the page is first asked for, and each file compressed when it is:
 * a server whose page nobody opens does not pay for it.
 */
export class Graphiql {
  #page: Promise<Page> | null = null

  async servePage(response: ServerResponse): Promise<void> {
    const { html } = await this.#load()
    response.writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': CONTENT_SECURITY_POLICY,
      'cache-control': 'no-cache',
      'content-length': Buffer.byteLength(html),
    })
    response.end(html)
  }

  /** Returns false when there is no such asset. */
  async serveAsset(name: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const asset = (await this.#load()).assets.get(name)
    if (!asset) return false
    // The name holds a hash of the content, so it never changes under its name.
    const headers = {
      etag: asset.etag,
      'cache-control': 'public, max-age=31536000, immutable',
      vary: 'accept-encoding',
    }
    if (request.headers['if-none-match'] === asset.etag) {
      response.writeHead(304, headers).end()
      return true
    }
    const accepted = String(request.headers['accept-encoding'] ?? '')
    const encoding = /\bbr\b/.test(accepted) ? 'br' : /\bgzip\b/.test(accepted) ? 'gzip' : null
    const body = encoding ? await compress(asset, encoding) : asset.content
    response.writeHead(200, {
      ...headers,
      'content-type': asset.contentType,
      'content-length': body.length,
      ...(encoding && { 'content-encoding': encoding }),
    })
    response.end(body)
    return true
  }

  #load(): Promise<Page> {
    this.#page ??= loadPage().catch((error: unknown) => {
      // The next visitor tries again.
      this.#page = null
      throw error
    })
    return this.#page
  }
}

async function loadPage(): Promise<Page> {
  const { css, editorWorkerService, graphqlWorker, js, jsonWorker } =
    await import('@graphql-yoga/render-graphiql/graphiql')
  const assets = new Map<string, Asset>()
  const add = (name: string, extension: keyof typeof CONTENT_TYPES, text: string) => {
    const content = Buffer.from(text)
    const hash = createHash('sha256').update(content).digest('base64url').slice(0, 16)
    const fileName = `${name}-${hash}.${extension}`
    const contentType = CONTENT_TYPES[extension]
    assets.set(fileName, { contentType, etag: `"${hash}"`, content, compressed: new Map() })
    // Relative to the page, so that a proxy may put the whole server below a path.
    return `graphiql/assets/${fileName}`
  }
  const style = add('graphiql', 'css', css)
  const script = add('graphiql', 'js', js)
  const icon = add('icon', 'svg', ICON)
  const editor = add('editor-worker', 'js', editorWorkerService)
  const json = add('json-worker', 'js', jsonWorker)
  const graphql = add('graphql-worker', 'js', graphqlWorker)
  const settings: GraphiqlPageSettings = {
    query: await readExamples(),
    variables: JSON.stringify({ url: 'https://example.com/', session: '', cursor: null }, null, 2),
    workers: { editorWorkerService: editor, json, graphql },
  }
  const start = add('page', 'js', `(${runGraphiqlPage.toString()})(window, ${JSON.stringify(settings)})`)
  const html = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Tabwire</title>
    <link rel="icon" href="${icon}">
    <link rel="stylesheet" href="${style}">
    <style>
      html, body { margin: 0; height: 100%; }
      body { display: flex; flex-direction: column; }
      #root { flex: 1; min-height: 0; }
      #notice { margin: 0; padding: 0.6em 1em; font: 15px system-ui, sans-serif; background: #fff3cd; color: #4d3b00; }
      #notice[hidden] { display: none; }
    </style>
  </head>
  <body>
    <p id="notice" role="alert" hidden></p>
    <div id="root"><noscript>This page needs JavaScript.</noscript></div>
    <script src="${script}"></script>
    <script src="${start}"></script>
  </body>
</html>
`
  return { html, assets }
}

/** Once for each encoding: whoever asks while it is being made waits for the same. */
function compress(asset: Asset, encoding: Encoding): Promise<Buffer> {
  let compressed = asset.compressed.get(encoding)
  if (!compressed) {
    // The highest level of brotli takes half a minute for all of it and saves a tenth over this one.
    const params = { [constants.BROTLI_PARAM_QUALITY]: 5 }
    compressed = encoding === 'br' ? compressBrotli(asset.content, { params }) : compressGzip(asset.content)
    asset.compressed.set(encoding, compressed)
  }
  return compressed
}

const CONTENT_TYPES = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
} as const

/** examples/*.graphql in the order of their names, as one document: GraphiQL asks which operation to run. */
async function readExamples(): Promise<string> {
  const names = (await readdir(EXAMPLES)).filter((name) => name.endsWith('.graphql')).toSorted()
  const texts = await Promise.all(names.map((name) => readFile(new URL(name, EXAMPLES), 'utf8')))
  return texts.join('\n')
}
