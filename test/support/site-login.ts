import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

/** A received request with its body. */
interface Received {
  url: string
  contentType: string
  body: Buffer
  /** The response. */
  answer: string
}

const PAGE = `<!doctype html><title>Log in</title>
<form id=form><input name=user id=user><input name=pw id=pw type=password><input name=note id=note><button>Go</button></form>
<script>
  const values = () => Object.fromEntries(new FormData(document.querySelector('form')))
  window.send = {
    json: () => fetch('/json', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(values()) }),
    form: () => fetch('/form', { method: 'POST', body: new URLSearchParams(values()) }),
    multipart: () => fetch('/multipart', { method: 'POST', body: new FormData(document.querySelector('form')) }),
    query: () => fetch('/query?' + new URLSearchParams(values())),
    path: () => fetch('/path/' + encodeURIComponent(values().pw)),
    basic: () => fetch('/basic', { headers: { authorization: 'Basic ' + btoa(values().user + ':' + 'x') } }),
  }
</script>`

const escaped = (text: string) => text.replace(/[&<>"']/g, (unit) => `&#${unit.charCodeAt(0)};`)

/** A form with a password, sent in every way available to pages; responses echo the requests. */
export async function startLoginSite() {
  const received: Received[] = []
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = request.url!
    if (url === '/') return void response.setHeader('content-type', 'text/html').end(PAGE)
    const body = await buffer(request)
    const contentType = request.headers['content-type'] ?? ''
    const isPage = url === '/page'
    const answer = isPage
      ? `<p>${escaped(new URLSearchParams(body.toString()).get('pw') ?? '')}</p>`
      : JSON.stringify({ got: body.toString(), url })
    received.push({ url, contentType, body, answer })
    response.setHeader('content-type', isPage ? 'text/html' : 'application/json').end(answer)
  }
  const server = createServer((request, response) => void serve(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
