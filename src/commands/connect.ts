import { SessionBridge } from '../bridge/session-bridge.ts'
import { loadConfig } from '../config.ts'
import { readLockHolder } from '../data-directory-lock.ts'
import { LINK_TTL_SECONDS } from '../domain/links/signed-links.ts'
import { CDP_CLOSE } from '../contract/cdp-close-codes.ts'
import { CDP_PATH } from '../http-paths.ts'
import { StartupFailed } from '../startup-failed.ts'
import { readAdminKey } from './admin-key.ts'
import { print, printNotice } from './stdio.ts'
import { serverApi } from './server-api.ts'
import { readOptions, UsageError, type Command } from './cli.ts'

const DEFAULT_PORT = '9222'

export const connect: Command = {
  name: 'connect',
  summary: "open a session's browser under a local port",
  help: `Usage: tabwire connect <session> [--port <port>] [--url <url>]

Makes the browser of a running session available at http://127.0.0.1:<port>, as if it had been started there with
--remote-debugging-port, for clients of the Chrome DevTools Protocol that take only a host and a port. It ends with the session,
or with Ctrl-C, which leaves the session running. Requests from web pages are refused.

  <session>      id of the session, or its cdpUrl
  --port <port>  port to listen on (default: ${DEFAULT_PORT}); 0 picks one
  --url <url>    URL of the server (default: the server that runs on TABWIRE_DATA_DIR)

The API key is the one in TABWIRE_API_KEY, which needs the scopes READ and CONNECT; without --url, else the admin key in
<data dir>/api-key. A cdpUrl needs no key.`,

  async run(args) {
    const { values, positionals } = readOptions(
      args,
      { port: { type: 'string', default: DEFAULT_PORT }, url: { type: 'string' } },
      ['session'],
    )
    const port = readPort(values.port)
    const session = positionals[0]!
    const cdpUrl = /^(ws|http)s?:\/\//.test(session) ? readLink(session) : await linkOf(session, values.url)
    const bridge = await SessionBridge.open(cdpUrl, port)
    print(bridge.url)
    const end = await Promise.race([bridge.ended, signaled()])
    await bridge.close()
    if (end === null) return 0
    const isOver = end.code === CDP_CLOSE.sessionEnded
    printNotice(
      isOver ? `Ended: ${end.reason}.` : `The connection with the server ended: ${end.reason || `code ${end.code}`}.`,
    )
    return isOver ? 0 : 1
  },
}

function readPort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (!(port <= 65_535)) throw new UsageError('--port must be a number from 0 to 65535')
  return port
}

function readLink(text: string): string {
  if (!URL.canParse(text) || !text.includes(CDP_PATH)) throw new UsageError('the URL is no cdpUrl of a session')
  return text.replace(/^http/, 'ws')
}

/** Rejects with StartupFailed. */
async function linkOf(session: string, given: string | undefined): Promise<string> {
  const config = loadConfig(process.env)
  if (given !== undefined && !/^https?:\/\//.test(given))
    throw new UsageError('--url must begin with http:// or https://')
  // The admin key belongs to this installation, and is sent to no other server.
  if (given !== undefined && config.apiKey === null) {
    throw new StartupFailed(`Set TABWIRE_API_KEY to a key of the server at ${given}.`)
  }
  const url = given ?? (await readLockHolder(config.dataDir))?.url
  if (url == null) {
    throw new StartupFailed(`No server runs on ${config.dataDir}: start it, set TABWIRE_DATA_DIR, or give --url.`)
  }
  const ask = serverApi(url, await readAdminKey(config))
  const found = await ask<{ session: { access: { cdpUrl: string } | null } | null }>(
    `query ($id: ID!, $ttlSeconds: Int!) { session(id: $id) { access(ttlSeconds: $ttlSeconds) { cdpUrl } } }`,
    { id: session, ttlSeconds: LINK_TTL_SECONDS.max },
  )
  if (!found.session) throw new StartupFailed('Session not found.')
  if (!found.session.access)
    throw new StartupFailed('The session is not running, or the API key lacks the scope CONNECT.')
  const { cdpUrl } = found.session.access
  // The public URL may not be reachable from here.
  return `${url.replace(/\/*$/, '').replace(/^http/, 'ws')}${cdpUrl.slice(cdpUrl.indexOf(CDP_PATH))}`
}

/** Resolves when the process is asked to stop. */
function signaled(): Promise<null> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve(null))
  })
}
