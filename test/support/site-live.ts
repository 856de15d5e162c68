import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const page = (body: string) =>
  `<!doctype html><html lang="en"><head><link rel="icon" href="data:,"><title>Live</title>
  <style>html,body{margin:0;height:100%}</style></head><body>${body}</body></html>`

/** Pages to view and to control, by path. */
const PAGES: Record<string, string> = {
  '/red': page('<body style="background:#f00"></body>'),
  '/blue': page('<body style="background:#00f"></body>'),
  // A new frame every 16 ms, with its number in the title.
  '/animation': page(`<canvas id="c" width="400" height="300"></canvas><script>
    const context = c.getContext('2d')
    let n = 0
    function draw() {
      n += 1
      context.fillStyle = n % 2 ? '#000' : '#fff'
      context.fillRect(0, 0, 400, 300)
      context.fillStyle = '#f80'
      context.fillRect(n % 350, 100, 50, 50)
      requestAnimationFrame(draw)
    }
    draw()</script>`),
  // Large frames, finally green: noise does not compress as JPEG.
  '/noise': page(`<canvas id="c" width="1000" height="600"></canvas><script>
    const context = c.getContext('2d')
    const image = context.createImageData(1000, 600)
    const words = new Uint32Array(image.data.buffer)
    let n = 0
    function draw() {
      n += 1
      for (let i = 0; i < words.length; i++) words[i] = (Math.imul(i + n, 2654435761) ^ (n * 40503)) | 0xff000000
      context.putImageData(image, 0, 0)
      if (!window.enough) return requestAnimationFrame(draw)
      c.remove()
      document.body.style.background = '#0f0'
    }
    draw()</script>`),
  '/popup':
    page(`<body style="background:#f00"><button id="open" style="position:absolute;left:0;top:0;width:100px;height:50px"
    onclick="window.open('/blue')">Open</button></body>`),
  '/closing': page(
    `<button style="position:absolute;left:0;top:0;width:100px;height:50px" onclick="window.close()">Close</button>`,
  ),
  '/confirm': page(`<button style="position:absolute;left:0;top:0;width:100px;height:50px"
    onclick="this.textContent = String(confirm('Sure?'))">Ask</button>`),
  '/drag':
    page(`<div id="thing" draggable="true" style="position:absolute;left:0;top:0;width:100px;height:100px;background:#f80">Thing</div>
    <div id="place" style="position:absolute;left:400px;top:300px;width:200px;height:200px;background:#ccc">Place</div>
    <script>
      const seen = []
      thing.addEventListener('dragstart', (event) => event.dataTransfer.setData('text/plain', 'the thing'))
      for (const type of ['dragstart', 'dragend']) thing.addEventListener(type, () => seen.push(type))
      place.addEventListener('dragenter', () => seen.push('dragenter'))
      place.addEventListener('dragover', (event) => {
        event.preventDefault()
        if (seen.at(-1) !== 'dragover') seen.push('dragover')
      })
      place.addEventListener('drop', (event) => {
        event.preventDefault()
        seen.push('drop ' + event.dataTransfer.getData('text/plain'))
      })
    </script>`),
  '/input': page(`<textarea id="field" style="position:absolute;left:0;top:0;width:300px;height:100px"></textarea>
    <div id="surface" style="position:absolute;left:0;top:200px;width:400px;height:200px;background:#ccc"></div>
    <input id="picky" style="position:absolute;left:500px;top:0;width:100px;height:30px" onpaste="
      event.preventDefault(); this.value = 'got ' + event.clipboardData.getData('text').length">
    <div style="height:5000px"></div>
    <script>
      const seen = []
      const modifiers = (event) => ['ctrlKey', 'shiftKey', 'altKey', 'metaKey'].filter((key) => event[key]).map((key) => '+' + key.slice(0, -3)).join('')
      for (const type of ['mousedown', 'mouseup', 'mousemove', 'click', 'dblclick', 'contextmenu']) {
        surface.addEventListener(type, (event) => {
          if (type === 'contextmenu') event.preventDefault()
          seen.push([type, event.offsetX + ',' + event.offsetY, event.button + '/' + event.buttons].join(' ') + modifiers(event))
        })
      }
      for (const type of ['keydown', 'keypress', 'keyup', 'paste']) {
        field.addEventListener(type, (event) =>
          seen.push([type, event.key ?? event.clipboardData.getData('text'), event.code ?? '', event.keyCode ?? '', event.location ?? ''].join(' ') + modifiers(event)))
      }
      for (const type of ['touchstart', 'touchmove', 'touchend', 'touchcancel']) {
        surface.addEventListener(type, (event) => seen.push(type + ' ' + [...event.touches].map((one) =>
          one.identifier + ':' + Math.round(one.clientX) + ',' + Math.round(one.clientY)).join(' ')), { passive: true })
      }
    </script>`),
}

export interface LiveSite {
  /** http://127.0.0.1:<port> */
  url: string
  close(): Promise<void>
}

export async function startLiveSite(): Promise<LiveSite> {
  const server = createServer((request, response) => {
    const html = PAGES[new URL(request.url ?? '/', 'http://site').pathname]
    response.writeHead(html ? 200 : 404, { 'content-type': 'text/html; charset=utf-8' }).end(html ?? 'no such page')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}
