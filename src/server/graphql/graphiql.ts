import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { EXAMPLES } from '../../package-files.ts'
import { createGraphiqlFetcher } from './graphiql-fetcher.ts'
import { readGraphiqlFiles, type GraphiqlFile } from './graphiql-files.ts'
import { runGraphiqlPage, type GraphiqlPageSettings } from './graphiql-page.ts'
import { PageAssets } from '../pages/page-assets.ts'

interface Page {
  html: string
  assets: PageAssets
}

/** The icon in the tab of the browser: two hops of a wire. */
const ICON =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#12324a"/><path d="M5 21h6l4-11 5 14 3-8h4" fill="none" stroke="#7fd6ff" stroke-width="2.6" stroke-linecap="round" stroke-linejoin="round"/></svg>'

/**
 * Only our own scripts and styles: no other host is contacted, so the page works offline and nobody learns that it was
 * opened. 'unsafe-inline' is for styles only, which the editor generates at runtime.
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
 * GraphiQL, offline. Its nine megabytes are read on the first request for the page, by a thread, and each file is
 * compressed on first use: a server whose page is never opened does not pay for it.
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

  /** Returns false if there is no such asset. */
  async serveAsset(name: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    return (await this.#load()).assets.serve(name, request, response)
  }

  #load(): Promise<Page> {
    this.#page ??= loadPage().catch((error: unknown) => {
      // The next request tries again.
      this.#page = null
      throw error
    })
    return this.#page
  }
}

async function loadPage(): Promise<Page> {
  const { css, editorWorkerService, graphqlWorker, js, jsonWorker } = await readGraphiqlFiles()
  const assets = new PageAssets()
  const add = (name: string, extension: 'js' | 'css' | 'svg', { content, hash }: GraphiqlFile) => {
    const fileName = `${name}-${hash}.${extension}`
    assets.add(fileName, content)
    // Relative to the page, so that a proxy may serve the whole server below a path.
    return `graphiql/assets/${fileName}`
  }
  const style = add('graphiql', 'css', css)
  const script = add('graphiql', 'js', js)
  const icon = add('icon', 'svg', fileOf(ICON))
  const editor = add('editor-worker', 'js', editorWorkerService)
  const json = add('json-worker', 'js', jsonWorker)
  const graphql = add('graphql-worker', 'js', graphqlWorker)
  const settings: GraphiqlPageSettings = {
    query: await readExamples(),
    workers: { editorWorkerService: editor, json, graphql },
  }
  const start = add(
    'page',
    'js',
    fileOf(`(${runGraphiqlPage.toString()})(window, ${JSON.stringify(settings)}, ${createGraphiqlFetcher.toString()})`),
  )
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
      #dashboard { color: inherit; }
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

function fileOf(text: string): GraphiqlFile {
  const content = Buffer.from(text)
  return { content, hash: createHash('sha256').update(content).digest('base64url').slice(0, 16) }
}

/** examples/*.graphql in order of their names, as one document: GraphiQL asks which operation to run. */
async function readExamples(): Promise<string> {
  const names = (await readdir(EXAMPLES)).filter((name) => name.endsWith('.graphql')).toSorted()
  const texts = await Promise.all(names.map((name) => readFile(new URL(name, EXAMPLES), 'utf8')))
  return texts.join('\n')
}
