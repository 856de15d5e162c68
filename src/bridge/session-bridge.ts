import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer, type WebSocket } from 'ws'
import { StartupFailed } from '../startup-failed.ts'
import { BrowserLink } from './browser-link.ts'
import { refuseRequest } from './local-only.ts'
import { targetAsJson, targetsAsJson } from './targets-as-json.ts'
import { NoSuchTarget, openFarEnd, tunnel } from './tunnel.ts'

const ADDRESS = '127.0.0.1'
const OWN_NAME = 'tabwire-connect'
/** In the server's format. */
const MESSAGE_BYTES = 64 * 1024 * 1024
const CLOSE_MS = 2_000
const BROWSER_PATH = '/devtools/browser'
const PAGE_PATH = '/devtools/page/'

export interface BridgeEnd {
  /** Close code of the server: 4001 when the session has ended, 4403 when the link has. */
  code: number
  reason: string
}

/**
 * Serves a session's browser on a local port, as if it ran here with --remote-debugging-port: for clients that accept
 * only a host and a port. Each of their connections is forwarded to the server over a separate one.
 */
export class SessionBridge {
  /** http://127.0.0.1:<port> */
  readonly url: string
  /** Called when the connection to the server has ended. Never rejects. */
  readonly ended: Promise<BridgeEnd>
  readonly #cdpUrl: string
  readonly #link: BrowserLink
  readonly #server: Server
  readonly #webSockets: WebSocketServer
  readonly #browserPath = `${BROWSER_PATH}/${randomUUID()}`

  private constructor(cdpUrl: string, link: BrowserLink, server: Server) {
    this.#cdpUrl = cdpUrl
    this.#link = link
    this.#server = server
    this.#webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: MESSAGE_BYTES })
    this.url = `http://${ADDRESS}:${(server.address() as AddressInfo).port}`
    this.ended = link.closed
    server.on('request', (request, response) => void this.#serve(request, response))
    server.on('upgrade', (request, stream, head) => void this.#upgrade(request, stream, head))
  }

  /** Port 0 picks one. Rejects with StartupFailed. */
  static async open(cdpUrl: string, port: number): Promise<SessionBridge> {
    const link = await BrowserLink.open(cdpUrl, OWN_NAME)
    const server = createServer()
    try {
      server.listen(port, ADDRESS)
      await once(server, 'listening')
    } catch (error) {
      await link.close()
      const why = (error as NodeJS.ErrnoException).code === 'EADDRINUSE' ? 'it is in use' : (error as Error).message
      throw new StartupFailed(`Port ${port} cannot be opened: ${why}. Choose another with --port.`, { cause: error })
    }
    return new SessionBridge(cdpUrl, link, server)
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#webSockets.clients) socket.close(1001, 'the bridge ends')
    const timer = setTimeout(() => {
      for (const socket of this.#webSockets.clients) socket.terminate()
      this.#server.closeAllConnections()
    }, CLOSE_MS)
    this.#server.closeIdleConnections()
    await this.#link.close()
    await closed
    clearTimeout(timer)
  }

  /** Never rejects. */
  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refusal = refuseRequest(request)
    if (refusal !== null) return answer(response, 403, refusal)
    try {
      const body = await this.#resource(request)
      if (body === null) return answer(response, 404, 'Not found.')
      answer(response, 200, body)
    } catch (error) {
      answer(response, error instanceof WrongMethod ? 405 : 502, (error as Error).message)
    }
  }

  /** Null: there is none. */
  async #resource({ url = '/', method, headers }: IncomingMessage): Promise<object | string | null> {
    const host = headers.host!
    const [path, query] = splitAt(url, '?')
    const [, json, name = '', id = ''] = path.split('/')
    if (json !== 'json') return null
    if (name === 'new') {
      if (method !== 'PUT') throw new WrongMethod('Use PUT.')
      return this.#open(query, host)
    }
    if (name === 'activate' || name === 'close') {
      const command = name === 'activate' ? 'Target.activateTarget' : 'Target.closeTarget'
      await this.#link.ask(command, { targetId: id })
      return name === 'activate' ? 'Target activated' : 'Target is closing'
    }
    if (method !== 'GET') throw new WrongMethod('Use GET.')
    switch (name) {
      case '':
      case 'list':
        return targetsAsJson((await this.#targets()).targetInfos, host)
      case 'version':
        return this.#version(host)
      case 'protocol':
        return protocol()
      default:
        return null
    }
  }

  async #version(host: string): Promise<object> {
    const version = await this.#link.ask<Record<string, string>>('Browser.getVersion')
    return {
      Browser: version['product'],
      'Protocol-Version': version['protocolVersion'],
      'User-Agent': version['userAgent'],
      'V8-Version': version['jsVersion'],
      'WebKit-Version': version['revision'],
      webSocketDebuggerUrl: `ws://${host}${this.#browserPath}`,
    }
  }

  #targets(): Promise<{ targetInfos: { targetId: string; type: string; title: string; url: string }[] }> {
    return this.#link.ask('Target.getTargets')
  }

  async #open(query: string, host: string): Promise<object | null> {
    const url = query === '' ? 'about:blank' : decoded(query)
    const { targetId } = await this.#link.ask<{ targetId: string }>('Target.createTarget', { url })
    const info = (await this.#targets()).targetInfos.find((one) => one.targetId === targetId)
    return info ? targetAsJson(info, host) : null
  }

  /** Never rejects. */
  async #upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): Promise<void> {
    stream.on('error', () => stream.destroy())
    const path = splitAt(request.url ?? '/', '?')[0]
    const targetId = path.startsWith(PAGE_PATH) ? path.slice(PAGE_PATH.length) : null
    const isKnown = targetId !== null || path === BROWSER_PATH || path.startsWith(`${BROWSER_PATH}/`)
    if (refuseRequest(request) !== null) return refuseUpgrade(stream, '403 Forbidden')
    if (!isKnown) return refuseUpgrade(stream, '404 Not Found')
    try {
      const far = await openFarEnd(this.#cdpUrl, request.headers['user-agent'] ?? OWN_NAME, targetId)
      if (stream.destroyed) return far.socket.terminate()
      this.#webSockets.handleUpgrade(request, stream, head, (near: WebSocket) => void tunnel(near, far))
    } catch (error) {
      refuseUpgrade(stream, error instanceof NoSuchTarget ? '404 Not Found' : '502 Bad Gateway')
    }
  }
}

class WrongMethod extends Error {}

function answer(response: ServerResponse, status: number, body: object | string): void {
  const isText = typeof body === 'string'
  response.writeHead(status, {
    'content-type': isText ? 'text/plain; charset=utf-8' : 'application/json; charset=utf-8',
    'cache-control': 'no-store',
  })
  response.end(isText ? body : JSON.stringify(body))
}

function refuseUpgrade(stream: Duplex, status: string): void {
  stream.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}

function splitAt(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)]
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The published version of the protocol: a browser that is connected by a pipe does not provide it. */
function protocol(): object {
  const require = createRequire(import.meta.url)
  const read = (name: string) =>
    JSON.parse(readFileSync(require.resolve(`devtools-protocol/json/${name}.json`), 'utf8')) as {
      version: object
      domains: object[]
    }
  const [browser, js] = [read('browser_protocol'), read('js_protocol')]
  return { version: browser.version, domains: [...browser.domains, ...js.domains] }
}
