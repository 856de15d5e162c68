import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface ScriptedSite {
  url: string
  /** Resolves when pages, frames and workers have called `notify` with each of the names. */
  reported(...names: string[]): Promise<void>
  close(): Promise<void>
}

/** Function for scripts of the site: returns when the server has received the call, and before anything else runs. */
const TELL = `function tell(name) {
  const request = new XMLHttpRequest(); request.open('GET', '/told?name=' + name, false); request.send()
}
`

/** A site of scripts: /page/NAME is a page that runs the script of that name, /script/NAME is the script. */
export async function startScriptedSite(scripts: Readonly<Record<string, string>>): Promise<ScriptedSite> {
  const reported = new Set<string>()
  const listeners = new Set<() => void>()
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://site')
    const [, kind, name = ''] = pathname.split('/')
    if (kind === 'told') {
      reported.add(searchParams.get('name') ?? '')
      for (const listener of listeners) listener()
      response.end()
    } else if (kind === 'script') {
      response.writeHead(200, { 'content-type': 'text/javascript' }).end(TELL + (scripts[name] ?? ''))
    } else {
      response
        .writeHead(200, { 'content-type': 'text/html' })
        .end(`<!doctype html><link rel="icon" href="data:,"><body><script>${TELL}${scripts[name] ?? ''}</script>`)
    }
  })
  const { promise: listening, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await listening
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    reported(...names) {
      return new Promise((received) => {
        const look = () => {
          if (!names.every((name) => reported.has(name))) return
          listeners.delete(look)
          received()
        }
        listeners.add(look)
        look()
      })
    },
    async close() {
      server.closeAllConnections()
      const closed = Promise.withResolvers<void>()
      server.close(() => closed.resolve())
      await closed.promise
    },
  }
}
