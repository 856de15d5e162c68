import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import type { Callers } from '../domain/callers.ts'
import { Unauthenticated } from '../domain/principal.ts'
import type { SignIn } from '../domain/sign-in.ts'
import { ARTIFACTS_PATH, TRACE_VIEWER_PATH, UPLOADS_PATH } from '../schema/artifact-link.ts'
import type { Domain } from '../schema/context.ts'
import { CDP_PATH } from '../schema/session-access.ts'
import { answerJson, answerNotFound } from './answers.ts'
import { createArtifactDownloads } from './artifact-downloads.ts'
import { createArtifactUploads } from './artifact-uploads.ts'
import { secretOf } from './authentication.ts'
import { CdpConnections } from './cdp-connections.ts'
import { Dashboard } from './dashboard.ts'
import { Graphiql } from './graphiql.ts'
import { maskError, refusal } from './graphql-errors.ts'
import { createGraphqlHttp } from './graphql-http.ts'
import { GraphqlOperations } from './graphql.ts'
import { limitRequestTime } from './request-time.ts'
import { createTraceViewer } from './trace-viewer.ts'
import { GraphqlWebSockets, refuseUpgrade, WEB_SOCKET_LIMITS, type WebSocketLimits } from './websocket.ts'

export interface ServerOptions extends Domain {
  config: Pick<Config, 'publicUrl' | 'artifacts'>
  callers: Callers
  signIn: SignIn
  readiness: () => Promise<{ ready: boolean; missing: string[] }>
  logger: Logger
  /** Other than the usual limits of sockets; for tests. */
  webSocketLimits?: Partial<WebSocketLimits>
  /** Other than the usual limits of requests; for tests. */
  requestLimits?: RequestLimits
}

/** How long a client may take to send a request; the answer may take as long as it needs. */
export interface RequestLimits {
  headersMs: number
  /** From the headers to the end of the body; of an upload, between two pieces of it. */
  requestMs: number
  /** How often connections are looked at for headers that do not come. */
  checkMs: number
}

const REQUEST_LIMITS: RequestLimits = { headersMs: 10_000, requestMs: 60_000, checkMs: 5_000 }

export interface Server {
  /** Resolves when it listens; rejects when it cannot (EADDRINUSE …). Port 0 picks a free one. */
  listen(host: string, port: number): Promise<{ url: string; port: number }>
  /** Takes no more connections, closes those that are open; what is not done by the deadline is cut off. */
  close(deadlineMs: number): Promise<void>
}

type Handler = (request: IncomingMessage, response: ServerResponse, url: URL) => Promise<void>

const API_PATH = '/graphql'
const MAX_SIGN_IN_BYTES = 1_000

/** The HTTP server: every route is in the table below. */
export function createServer(options: ServerOptions): Server {
  const { callers, logger, readiness, signIn } = options
  const operations = new GraphqlOperations(options, logger)
  const serveGraphql = createGraphqlHttp(operations, logger)
  const webSockets = new GraphqlWebSockets(operations, callers, logger, {
    ...WEB_SOCKET_LIMITS,
    ...options.webSocketLimits,
  })
  const cdp = new CdpConnections(options.registry, options.links, logger)
  const graphiql = new Graphiql()
  const { artifacts: artifactsConfig } = options.config
  const redirectsDownloads = artifactsConfig.kind === 's3' && artifactsConfig.downloads === 'redirect'
  const dashboard = new Dashboard(redirectsDownloads ? options.artifacts.origin : null)
  const streams = new Set<ServerResponse>()

  const api: Handler = async (request, response) => {
    // Any origin may call: nothing but a key that the caller itself sends gives it any authority (authentication.ts).
    response.setHeader('access-control-allow-origin', '*')
    if (request.method === 'OPTIONS') return answerPreflight(request, response)
    if (request.method === 'GET' && request.headers.accept?.includes('text/html')) {
      // A person with a browser. What stands behind # stays there through the redirect.
      return redirect(response, 'graphiql')
    }
    const secret = secretOf(request.headers)
    const principal = secret === null ? null : await callers.authenticate(secret)
    if (!principal) {
      response.setHeader('www-authenticate', 'Bearer realm="tabwire"')
      return answerJson(response, 401, { errors: [refusal(new Unauthenticated())] }, jsonTypeFor(request))
    }
    await serveGraphql(request, response, principal, () => {
      // A stream can outlive its key; anything else is done before that matters.
      streams.add(response)
      const unwatch = callers.onInvalid(principal, () => response.destroy())
      response.once('close', () => {
        streams.delete(response)
        unwatch()
      })
    })
  }

  const routes: Record<string, Partial<Record<string, Handler>>> = {
    '/': {
      GET: async (_, response) => {
        // One that was not built has GraphiQL to look at.
        if (!(await dashboard.servePage(response))) redirect(response, 'graphiql')
      },
    },
    '/graphiql': { GET: (_, response) => graphiql.servePage(response) },
    '/sign-in': {
      POST: async (request, response) => {
        response.setHeader('cache-control', 'no-store')
        const code = await readSignInCode(request)
        const key = code === null ? null : await signIn.exchange(code)
        if (key) return answerJson(response, 200, { apiKey: key.secret, expiresAt: key.expiresAt })
        const message =
          'This sign-in link has expired or was used already. Open a fresh one: the server prints it when it starts.'
        return answerJson(response, 401, { error: { code: 'SIGN_IN_CODE_INVALID', message } })
      },
    },
    '/trace': { GET: async (_, response) => redirect(response, 'trace/') },
    '/health': { GET: async (_, response) => answerJson(response, 200, { status: 'ok' }) },
    '/ready': {
      GET: async (_, response) => {
        const { ready, missing } = await readiness()
        answerJson(response, ready ? 200 : 503, { ready, missing })
      },
    },
  }

  /** Routes that go on after these. */
  const below: Record<string, Handler> = {
    [ARTIFACTS_PATH]: createArtifactDownloads({
      artifacts: options.artifacts,
      links: options.links,
      redirect: redirectsDownloads,
    }),
    [UPLOADS_PATH]: createArtifactUploads(options.uploads, logger),
    [TRACE_VIEWER_PATH]: createTraceViewer(),
    [CDP_PATH]: (request, response, url) => cdp.serve(request, response, url),
    '/graphiql/assets/': assetsOf(graphiql),
    '/dashboard/assets/': assetsOf(dashboard),
  }

  const serve: Handler = async (request, response, url) => {
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.setHeader(name, value)
    if (url.pathname === API_PATH) return api(request, response, url)
    const method = request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET')
    const longer = Object.keys(below).find((path) => url.pathname.startsWith(path))
    if (longer) return below[longer]!(request, response, url)
    const route = Object.hasOwn(routes, url.pathname) ? routes[url.pathname] : undefined
    if (!route) return answerNotFound(response)
    const handler = route[method]
    if (handler) return handler(request, response, url)
    response.setHeader('allow', Object.keys(route).join(', '))
    answerJson(response, 405, {
      error: { code: 'METHOD_NOT_ALLOWED', message: `Use ${Object.keys(route).join(', ')}.` },
    })
  }

  const { headersMs, requestMs, checkMs } = options.requestLimits ?? REQUEST_LIMITS
  // Node's own limit on whole requests knows no exception, and an upload may take as long as it moves on.
  const timeouts = { headersTimeout: headersMs, requestTimeout: 0, connectionsCheckingInterval: checkMs }
  const server = createHttpServer(timeouts, (request, response) => {
    const url = URL.parse(request.url ?? '/', 'http://localhost')
    if (!url) return answerNotFound(response)
    limitRequestTime(request, response, requestMs, url.pathname.startsWith(UPLOADS_PATH) ? 'idle' : 'whole')
    serve(request, response, url).catch((error: unknown) => {
      if (response.headersSent) return void response.destroy()
      const masked = maskError(error, logger)
      answerJson(response, 500, { errors: [masked] })
    })
  })
  server.on('upgrade', (request, stream, head) => {
    stream.on('error', (error) => logger.debug({ err: error }, 'a connection broke while it was upgraded'))
    const url = URL.parse(request.url ?? '/', 'http://localhost')
    if (url?.pathname === API_PATH) {
      webSockets.upgrade(request, stream, head)
    } else if (url?.pathname.startsWith(CDP_PATH)) {
      cdp.upgrade(request, stream, head, url)
    } else {
      refuseUpgrade(stream, '404 Not Found')
    }
  })

  return {
    async listen(host, port) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      server.once('error', reject)
      server.listen(port, host, resolve)
      await promise
      server.off('error', reject)
      server.on('error', (error) => logger.error({ err: error }, 'the HTTP server failed'))
      const address = server.address() as AddressInfo
      const name = host.includes(':') ? `[${host}]` : host
      return { url: options.config.publicUrl ?? `http://${name}:${address.port}`, port: address.port }
    },

    async close(deadlineMs) {
      const { promise: closed, resolve } = Promise.withResolvers<void>()
      server.close(() => resolve())
      const cutOff = setTimeout(() => server.closeAllConnections(), deadlineMs)
      await Promise.all([...[...streams].map(breakOff), webSockets.close(), cdp.close()])
      server.closeIdleConnections()
      await closed
      clearTimeout(cutOff)
    },
  }
}

/** For every answer; pages add what they need to the policy that allows nothing. */
const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
}

/** For the end of a stream that was completed to be written out. */
const STREAM_END_MS = 250

/** Broken off, not completed, unless it has just come to its end: a client knows by that to come back with its cursor. */
async function breakOff(response: ServerResponse): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  response.once('close', resolve)
  const timer = setTimeout(() => response.destroy(), STREAM_END_MS)
  await promise
  clearTimeout(timer)
}

/** The files of a page, below the folder that its routes name. */
function assetsOf(page: Graphiql | Dashboard): Handler {
  return async (request, response, url) => {
    const name = url.pathname.slice(url.pathname.lastIndexOf('/') + 1)
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    if (!isRead || !(await page.serveAsset(name, request, response))) answerNotFound(response)
  }
}

/** To another page of this server; relative, so that a proxy may put the whole server below a path. */
function redirect(response: ServerResponse, location: string): void {
  response.writeHead(302, { location, 'content-length': 0 }).end()
}

function answerPreflight(request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(204, {
    'access-control-allow-methods': 'GET, POST',
    'access-control-allow-headers': request.headers['access-control-request-headers'] ?? 'content-type, x-api-key',
    'access-control-max-age': '86400',
    vary: 'access-control-request-headers',
  })
  response.end()
}

function jsonTypeFor(request: IncomingMessage): string {
  const wanted = 'application/graphql-response+json'
  return request.headers.accept?.includes(wanted) ? wanted : 'application/json'
}

/** Null for whatever is not {"code": "…"}: a code that is no code is one that does not work. */
async function readSignInCode(request: IncomingMessage): Promise<string | null> {
  if (!request.headers['content-type']?.startsWith('application/json')) return null
  let text = ''
  for await (const chunk of request) {
    text += String(chunk)
    if (text.length > MAX_SIGN_IN_BYTES) return null
  }
  try {
    const body: unknown = JSON.parse(text)
    const code = typeof body === 'object' && body !== null && 'code' in body ? body.code : null
    return typeof code === 'string' ? code : null
  } catch {
    return null
  }
}
