import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import { DELIVERY_LIMITS, DeliveryBudget, type DeliveryLimits } from '../domain/log/reading/delivery.ts'
import type { Authenticator } from '../domain/access/authenticator.ts'
import { MemoryBudget } from '../domain/kernel/memory-budget.ts'
import { Unauthenticated } from '../domain/kernel/principal.ts'
import type { Rate } from '../domain/kernel/allowance.ts'
import type { SignIn } from '../domain/keys/sign-in.ts'
import type { ReadinessAnswer } from '../domain/sessions/readiness.ts'
import { Deadline } from '../async/deadline.ts'
import {
  API_PATH,
  ARTIFACTS_PATH,
  BODIES_PATH,
  CDP_PATH,
  DEMO_ECHO_PATH,
  DEMO_PATH,
  EXPORTS_PATH,
  MACHINE_CALLS_PATH,
  MACHINE_CHALLENGES_PATH,
  TRACE_VIEWER_PATH,
  UPLOADS_PATH,
} from '../http-paths.ts'
import type { Domain } from '../schema/base/context.ts'
import { answerBusy, answerJson, answerNotFound, isBusy } from './base/json-response.ts'
import { createArtifactDownloads } from './files/artifact-downloads.ts'
import { createBodyDownloads } from './files/body-downloads.ts'
import type { LinkedBodies } from '../domain/bodies/linked-bodies.ts'
import { createArtifactUploads } from './files/artifact-uploads.ts'
import { createLogExports } from './files/log-exports.ts'
import { secretOf } from './base/authentication.ts'
import { CdpConnections } from './cdp-connections.ts'
import { AnonymousRequests } from './base/anonymous-requests.ts'
import { ClientAddresses } from './base/client-addresses.ts'
import { CONNECTION_LIMITS, Connections, type ConnectionLimits } from './base/connections.ts'
import { Dashboard } from './pages/dashboard.ts'
import { DemoEcho } from './pages/demo-echo.ts'
import { serveDemo } from './pages/demo.ts'
import { Graphiql } from './graphql/graphiql.ts'
import { maskError, refusal, retryAfterOf } from './base/graphql-errors.ts'
import { createGraphqlHttp } from './graphql/graphql-http.ts'
import { GraphqlOperations } from './graphql/graphql.ts'
import { ownSockets } from './base/owned-sockets.ts'
import { limitRequestTime, REQUEST_LIMITS, type RequestLimits } from './base/request-time.ts'
import type { MachineConnections } from './machine-connections.ts'
import { createTraceViewer } from './files/trace-viewer.ts'
import { GraphqlWebSockets, refuseUpgrade, WEB_SOCKET_LIMITS, type WebSocketLimits } from './graphql/websocket.ts'

export interface ServerOptions extends Domain {
  config: Pick<Config, 'publicUrl' | 'artifacts' | 'trustedProxies'>
  callers: Authenticator
  linkedBodies: LinkedBodies
  signIn: SignIn
  readiness: () => Promise<ReadinessAnswer>
  /** Where the files of the trace viewer are stored. */
  traceViewerDir: string
  /** Connections of other machines; null: there are none. */
  machineConnections?: MachineConnections | null
  logger: Logger
  /** Overrides of the default socket limits; for tests. */
  webSocketLimits?: Partial<WebSocketLimits>
  /** Overrides of the default limits on data held for readers; for tests. */
  deliveryLimits?: Partial<DeliveryLimits>
  /** Overrides of the default request limits; for tests. */
  requestLimits?: Partial<RequestLimits>
  /** Overrides of the default connection limits; for tests. */
  connectionLimits?: Partial<ConnectionLimits>
  /** The memory for CDP clients, which may have others through other machines. */
  clientMemory?: MemoryBudget
  /** Override of the default limit on the requests of running operations; for tests. */
  operationMemoryBytes?: number
  /** Override of the default limit of requests without a valid key; for tests. */
  anonymousRequests?: Rate
}

export interface Server {
  /** Resolves when it listens; rejects if it cannot (EADDRINUSE …). Port 0 picks a free one. */
  listen(host: string, port: number): Promise<{ url: string; port: number }>
  /** Accepts no more connections and closes the open ones; those still open at the deadline are cut off. */
  close(deadlineMs: number): Promise<void>
}

type Handler = (request: IncomingMessage, response: ServerResponse, url: URL) => Promise<void>

const MAX_SIGN_IN_BYTES = 1_000
const TCP_KEEP_ALIVE_MS = 30_000
/** Of the requests of all operations that are running, subscriptions included: each may have a megabyte. */
const OPERATION_MEMORY_BYTES = 64 * 1024 * 1024
/** Time for clients to notice that they were disconnected. */
const LEAVING_MS = 500

/** The HTTP server: every route is in the table below. */
export function createServer(options: ServerOptions): Server {
  const { callers, logger, readiness, signIn } = options
  const operations = new GraphqlOperations(options, logger)
  const deliveries = new DeliveryBudget({ ...DELIVERY_LIMITS, ...options.deliveryLimits })
  const operationMemory = new MemoryBudget(options.operationMemoryBytes ?? OPERATION_MEMORY_BYTES)
  const serveGraphql = createGraphqlHttp(operations, deliveries, operationMemory, logger)
  const connections = new Connections(new ClientAddresses(options.config.trustedProxies), {
    ...CONNECTION_LIMITS,
    ...options.connectionLimits,
  })
  const webSockets = new GraphqlWebSockets(operations, callers, deliveries, operationMemory, connections, logger, {
    ...WEB_SOCKET_LIMITS,
    ...options.webSocketLimits,
  })
  const cdp = new CdpConnections(options.sessions, options.links, connections, logger, options.clientMemory)
  const machines = options.machineConnections ?? null
  const demoEcho = new DemoEcho(connections, logger)
  const graphiql = new Graphiql()
  const { artifacts: artifactsConfig } = options.config
  const redirectsDownloads = artifactsConfig.kind === 's3' && artifactsConfig.downloads === 'redirect'
  const dashboard = new Dashboard(redirectsDownloads ? options.artifacts.origin : null)
  const anonymousRequests = new AnonymousRequests(options.anonymousRequests)
  const streams = new Set<ServerResponse>()
  let asking: ReturnType<typeof readiness> | null = null
  /** Public: concurrent requests share one check, so that a flood is cheap. */
  const askReadiness = () => (asking ??= readiness().finally(() => (asking = null)))

  const api: Handler = async (request, response) => {
    // Any origin may call: only a key that the caller itself sends gives authority (authentication.ts).
    response.setHeader('access-control-allow-origin', '*')
    if (request.method === 'OPTIONS') return answerPreflight(request, response)
    if (request.method === 'GET' && request.headers.accept?.includes('text/html')) {
      // A browser. The fragment of the URL survives the redirect.
      return redirect(response, 'graphiql')
    }
    const secret = secretOf(request.headers)
    const connection = connections.of(request.socket)
    const principal = secret === null ? null : await callers.authenticate(secret, connection.address)
    if (!principal) {
      anonymousRequests.count(connection.address)
      response.setHeader('www-authenticate', 'Bearer realm="tabwire"')
      return answerJson(response, 401, { errors: [refusal(new Unauthenticated())] }, jsonTypeFor(request))
    }
    connection.admit(principal.owner, principal.sessionId === null ? 'key' : 'link')
    // Nothing below would be told that the client has left.
    if (response.destroyed) return
    await serveGraphql(request, response, principal, () => {
      if (response.destroyed) return
      // A stream can outlive its key; any other response is sent before that matters.
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
        // If the dashboard was not built, there is GraphiQL.
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
          'This sign-in link has expired or was used already. Open a new one: the server prints it when it starts.'
        return answerJson(response, 401, { error: { code: 'SIGN_IN_CODE_INVALID', message } })
      },
    },
    '/demo': { GET: async (_, response) => redirect(response, 'demo/') },
    '/trace': { GET: async (_, response) => redirect(response, 'trace/') },
    '/health': { GET: async (_, response) => answerJson(response, 200, { status: 'ok' }) },
    '/ready': {
      GET: async (_, response) => {
        response.setHeader('cache-control', 'no-store')
        const { ready, missing, degraded } = await askReadiness()
        answerJson(response, ready ? 200 : 503, { ready, missing, ...(degraded.length > 0 && { degraded }) })
      },
    },
  }

  /** Prefixes of routes with further path segments. */
  const below: Record<string, Handler> = {
    [ARTIFACTS_PATH]: createArtifactDownloads({
      artifacts: options.artifacts,
      links: options.links,
      connections,
      redirect: redirectsDownloads,
    }),
    [BODIES_PATH]: createBodyDownloads(options.linkedBodies, options.links, connections, deliveries),
    [UPLOADS_PATH]: createArtifactUploads(options.uploads, connections, logger),
    [EXPORTS_PATH]: createLogExports(options.exports, connections, logger),
    [TRACE_VIEWER_PATH]: createTraceViewer(options.traceViewerDir),
    [DEMO_PATH]: serveDemo,
    [CDP_PATH]: (request, response, url) => cdp.serve(request, response, url),
    ...(machines && {
      [MACHINE_CHALLENGES_PATH]: (request, response, url) => machines.serve(request, response, url),
    }),
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

  const requestLimits = { ...REQUEST_LIMITS, ...options.requestLimits }
  const server = createHttpServer({
    headersTimeout: requestLimits.headersMs,
    // Node's own request timeout has no exceptions, and an upload may take any time while it makes progress.
    requestTimeout: 0,
    connectionsCheckingInterval: requestLimits.checkMs,
    keepAliveTimeout: requestLimits.keepAliveMs,
    // TCP keep-alive detects clients that vanished while nothing is being sent.
    keepAlive: true,
    keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
  })
  ownSockets(server, (socket) => connections.open(socket), logger)
  const receive = (request: IncomingMessage, response: ServerResponse): URL | null => {
    const connection = connections.of(request.socket)
    connection.begin(request.headers)
    connection.onFault((error) => {
      const masked = maskError(error, logger)
      if (response.headersSent) return void response.destroy()
      response.setHeader('connection', 'close')
      answerJson(response, 500, { errors: [masked] }, jsonTypeFor(request))
    })
    response.once('close', () => {
      connection.onFault(null)
      connection.end()
    })
    response.setTimeout(connections.limits.stallMs, () => {
      // The time that the server takes is not charged to the client.
      if (response.headersSent && !connection.isAuthenticated) response.destroy()
    })
    const url = URL.parse(request.url ?? '/', 'http://localhost')
    const isUpload = url?.pathname.startsWith(UPLOADS_PATH)
    limitRequestTime(request, response, requestLimits, isUpload ? 'idle' : 'whole')
    return url
  }
  server.on('request', (request, response) => {
    const url = receive(request, response)
    // The rest of the input after one request too many.
    if (request.socket.destroyed) return
    if (!url) return answerNotFound(response)
    serve(request, response, url).catch((error: unknown) => {
      if (response.headersSent) return void response.destroy()
      if (isBusy(error)) return answerBusy(response, error, url.pathname === API_PATH ? jsonTypeFor(request) : null)
      const masked = maskError(error, logger)
      const seconds = retryAfterOf([masked])
      if (seconds === null) return answerJson(response, 500, { errors: [masked] })
      response.setHeader('retry-after', seconds)
      if (url.pathname === API_PATH) return answerJson(response, 503, { errors: [masked] }, jsonTypeFor(request))
      answerJson(response, 503, { error: { code: masked.extensions['code'], message: masked.message } })
    })
  })
  server.on('checkExpectation', (request, response) => {
    receive(request, response)
    const message = 'The only expectation that is met is 100-continue.'
    answerJson(response, 417, { error: { code: 'EXPECTATION_FAILED', message } })
  })
  server.on('upgrade', (request, stream, head) => {
    stream.on('error', (error) => logger.debug({ err: error }, 'a connection broke while it was upgraded'))
    connections.of(request.socket).begin(request.headers)
    const url = URL.parse(request.url ?? '/', 'http://localhost')
    if (url?.pathname === API_PATH) {
      webSockets.upgrade(request, stream, head)
    } else if (url?.pathname.startsWith(CDP_PATH)) {
      cdp.upgrade(request, stream, head, url)
    } else if (machines && url?.pathname === MACHINE_CALLS_PATH) {
      machines.upgrade(request, stream, head, connections)
    } else if (url?.pathname === DEMO_ECHO_PATH) {
      demoEcho.upgrade(request, stream, head)
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
      const cutOff = setTimeout(() => connections.cut(), deadlineMs)
      const leaving = Promise.all([
        ...[...streams].map(breakOff),
        webSockets.close(),
        cdp.close(),
        machines?.close(),
        demoEcho.close(),
      ])
      await Deadline.isMet(leaving, deadlineMs + LEAVING_MS)
      server.closeIdleConnections()
      await closed
      clearTimeout(cutOff)
      connections.close()
    },
  }
}

/** For every response; pages extend the policy that allows nothing. */
const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
}

/** Time for the end of a completed stream to be written. */
const STREAM_END_MS = 250

/** Aborted, not completed, unless it has just ended: this tells clients to reconnect with their cursor. */
async function breakOff(response: ServerResponse): Promise<void> {
  if (response.closed) return
  const { promise, resolve } = Promise.withResolvers<void>()
  response.once('close', resolve)
  const timer = setTimeout(() => response.destroy(), STREAM_END_MS)
  await promise
  clearTimeout(timer)
}

/** Files of a page, below the folder that its routes name. */
function assetsOf(page: Graphiql | Dashboard): Handler {
  return async (request, response, url) => {
    const name = url.pathname.slice(url.pathname.lastIndexOf('/') + 1)
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    if (!isRead || !(await page.serveAsset(name, request, response))) answerNotFound(response)
  }
}

/** To another page of this server; relative, so that a proxy may serve the whole server below a path. */
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

/** Null for anything but {"code": "…"}: malformed codes are treated as invalid ones. */
async function readSignInCode(request: IncomingMessage): Promise<string | null> {
  if (!request.headers['content-type']?.startsWith('application/json')) return null
  let text = ''
  // Abandoning the body must not close the connection, which is still needed for the error response.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
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
