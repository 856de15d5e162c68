import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const page = (body: string, head = '') =>
  `<!doctype html><html lang="en"><head><link rel="icon" href="data:,"><title>Actions</title>${head}</head><body>${body}</body></html>`

/** Longer than a picture may take that is given up early. */
const LATE_MS = 6_000

/** Pages to act on, by path. */
const PAGES: Record<string, string> = {
  '/form': page(`
    <h1>Sign in</h1>
    <form onsubmit="event.preventDefault(); document.querySelector('#out').textContent = 'Hello ' + user.value + '/' + pass.value.length">
      <label>User <input id="user" name="user"></label>
      <label>Password <input id="pass" type="password"></label>
      <label>Code <input id="code" autocomplete="one-time-code"></label>
      <label>Shown <input id="shown" type="password" oninput="this.type = 'text'"></label>
      <label><input type="checkbox" id="terms"> I agree</label>
      <label>Colour <select id="colour"><option value="r">Red</option><option value="g">Green</option><option value="b" disabled>Blue</option></select></label>
      <select id="many" multiple><option value="a">A</option><option value="b">B</option></select>
      <button data-testid="go">Sign in</button>
    </form>
    <p id="out"></p>
    <button id="disabled" disabled>Never</button>
    <div style="position:relative"><button id="under">Under</button>
      <div id="cover" class="veil" style="position:absolute;inset:0"></div></div>
    <button id="hidden" style="display:none">Hidden</button>
    <p id="text">Some <b>bold</b> text</p>
    <ul id="list"><li><a href="/a">One</a> <i>1</i></li><li><a href="/b">Two</a></li></ul>
    <div id="host"></div>
    <div id="keys" style="height:20px" tabindex="0" onkeydown="this.textContent += event.key + (event.ctrlKey ? '^' : '') + ' '"></div>
    <button id="events" onclick="this.textContent = 'click ' + event.detail + (event.shiftKey ? ' shift' : '')"
      oncontextmenu="event.preventDefault(); this.textContent = 'menu'" onmouseenter="this.dataset.over = '1'">Events</button>
    <div style="height:3000px"></div><button id="far">Far</button>
    <script>
      document.querySelector('#host').attachShadow({ mode: 'open' }).innerHTML = '<button id="deep">Deep</button>'
    </script>`),
  '/secrets': page(`
    <label>Password <input id="password" type="password"></label>
    <button id="show" onclick="password.type = 'text'">Show</button>
    <label>Code <input id="code" autocomplete="one-time-code"></label>
    <label>Card <input id="card" autocomplete="section-a billing cc-number"></label>
    <label>Area <textarea id="area" autocomplete="current-password"></textarea></label>
    <label>Synced <input id="synced" type="password" pattern="$&" oninput="this.setAttribute('value', this.value)"></label>
    <label>Plain <input id="plain"></label>`),
  '/frames': page('<iframe id="outer" src="/outer"></iframe>'),
  '/outer': page('<p>Outer</p><iframe name="inner" src="/inner"></iframe>'),
  '/inner': page('<button onclick="this.textContent = \'done\'">Inner</button>'),
  '/dialogs': page(`
    <button id="alert" onclick="alert('Look'); this.textContent = 'seen'">Alert</button>
    <button id="confirm" onclick="this.textContent = String(confirm('Sure?'))">Confirm</button>
    <button id="prompt" onclick="this.textContent = String(prompt('Name?', 'nobody'))">Prompt</button>
    <button id="leave" onclick="window.addEventListener('beforeunload', (event) => event.preventDefault())">Leave</button>
    <button id="three" onclick="for (const word of ['one', 'two', 'three']) this.textContent += confirm(word)">3: </button>
    <button id="again" onclick="for (;;) alert('Again')">Again</button>
    <button id="later" onclick="setTimeout(() => { this.textContent = String(confirm('Later?')) })">Later</button>`),
  '/files': page(`
    <input id="file" type="file" multiple onchange="read(this)">
    <button id="choose" onclick="concealed.click()">Choose</button><input id="concealed" type="file" style="display:none" onchange="read(this)">
    <p id="out"></p>
    <script>
      async function read(input) {
        const texts = await Promise.all([...input.files].map(async (file) => file.name + ':' + file.type + ':' + await file.text()))
        out.textContent = texts.join('|')
      }
    </script>`),
  '/hang': page(
    '<button id="hang" onclick="for (;;);">Hang</button><script>window.hang = () => { for (;;); }</script>',
  ),
  '/unfinished': page('<img src="/slow">'),
  '/late-font': page(
    '<p style="font-family: late">Read</p>',
    '<style>@font-face { font-family: late; src: url(/late) }</style>',
  ),
  '/hung': page('<script>for (;;);</script>'),
  '/strict': page(
    '<ul><li>One</li><li>Two</li></ul><input type="password" id="pass">',
    `<meta http-equiv="Content-Security-Policy" content="script-src 'none'">`,
  ),
  '/moves': page(
    '<a id="next" href="/form">Next</a><button id="gone" onclick="this.remove()">Gone</button><div id="slow"></div><script>setTimeout(() => { slow.innerHTML = "<b>came</b>" }, 300)</script>',
  ),
}

export interface ActionSitePages {
  /** http://127.0.0.1:<port> */
  url: string
  close(): Promise<void>
}

export async function startActionPages(): Promise<ActionSitePages> {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://site')
    const html = PAGES[pathname]
    if (pathname === '/redirect') response.writeHead(302, { location: '/form' }).end()
    else if (pathname === '/refreshes' || pathname === '/moves-on') {
      const to = JSON.stringify(searchParams.get('to'))
      const how =
        pathname === '/refreshes'
          ? `<meta http-equiv="refresh" content='0;url=${to.slice(1, -1)}'>`
          : `<script>location = ${to}</script>`
      response.writeHead(200, { 'content-type': 'text/html' }).end(page(how))
    } else if (pathname === '/to-metadata') response.writeHead(302, { location: '/forbidden' }).end()
    else if (pathname === '/attachment') {
      response.writeHead(200, {
        'content-type': 'application/zip',
        'content-disposition': 'attachment; filename=a.zip',
      })
      response.end('zip'.padEnd(Number(searchParams.get('bytes'))))
    } else if (pathname === '/endless') {
      response.writeHead(200, {
        'content-type': 'application/octet-stream',
        'content-disposition': 'attachment; filename=endless.bin',
      })
      response.write('begun'.repeat(20_000))
    } else if (pathname === '/slow') return
    else if (pathname === '/late') {
      const timer = setTimeout(() => response.writeHead(404).end(), LATE_MS)
      response.once('close', () => clearTimeout(timer))
    } else {
      const isFound = html !== undefined || pathname === '/forbidden'
      response.writeHead(isFound ? 200 : 404, { 'content-type': 'text/html' }).end(html ?? page(`<p>${pathname}</p>`))
    }
  })
  const { promise: listening, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await listening
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      const closed = Promise.withResolvers<void>()
      server.close(() => closed.resolve())
      await closed.promise
    },
  }
}
