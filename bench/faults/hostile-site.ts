import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Numbered, timestamped lines, to find missing ones and measure delays. */
const TICK = `const tick = () => console.log('tick ' + (window.ticks = (window.ticks ?? -1) + 1) + ' ' + Date.now());`

/** A browser message of several hundred megabytes: each stack frame repeats the script's URL. */
function hugeStack(frames: number, characters: number): string {
  return `${TICK} setTimeout(() => {
    const deep = eval('(function f(n) { if (n > 0) return f(n - 1); console.log("deep") })\\n//# sourceURL=http://a/' + 'x'.repeat(${characters}));
    tick(); deep(${frames}); tick(); document.title = 'done' }, 300)`
}

const PAGES: Record<string, string> = {
  /** Ten lines a second. */
  '/ticks': `${TICK} setInterval(tick, 100)`,
  /** As fast as the page can. */
  '/console-flood': `${TICK} const channel = new MessageChannel();
    channel.port1.onmessage = () => { for (let i = 0; i < 50; i++) tick(); channel.port2.postMessage(0) };
    channel.port2.postMessage(0)`,
  '/history-flood': `const channel = new MessageChannel(); let n = 0;
    channel.port1.onmessage = () => { for (let i = 0; i < 20; i++) history.pushState(0, '', '?' + n++); channel.port2.postMessage(0) };
    channel.port2.postMessage(0)`,
  '/fetch-flood': `const next = () => fetch('/small?' + Math.random()).then(next, next); for (let i = 0; i < 30; i++) next()`,
  '/stream-flood': `const next = async () => { const reader = (await fetch('/stream')).body.getReader(); while (!(await reader.read()).done); next() };
    for (let i = 0; i < 4; i++) next()`,
  '/popup-flood': `setInterval(() => { const frame = document.body.appendChild(document.createElement('iframe')); setTimeout(() => frame.remove(), 50) }, 5)`,
  '/huge-stack': hugeStack(150, 2_000_000),
  /** Longer than a string can be (512 MiB). */
  '/huger-stack': hugeStack(190, 3_100_000),
  '/huge-lines': `const line = 'x'.repeat(8000000); setInterval(() => console.log(line), 50)`,
  '/spin': `${TICK} tick(); setTimeout(() => { for (;;); }, 300)`,
  /** Lines long enough for many readers to be a load. */
  '/long-lines': `${TICK} let left = 600; const pad = 'p'.repeat(20000);
    const write = () => { for (let i = 0; i < 20; i++) { console.log(left-- + pad) } if (left > 0) setTimeout(write, 5); else document.title = 'done' };
    setTimeout(write, 10)`,
}

export interface HostileSite {
  origin: string
  /** How often the page with this `?key=` was opened. */
  timesOpened(key: string): number
  close(): Promise<void>
}

export async function startHostileSite(): Promise<HostileSite> {
  const opened = new Map<string, number>()
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
    const script = PAGES[pathname]
    if (script) {
      const key = searchParams.get('key')
      if (key !== null) opened.set(key, (opened.get(key) ?? 0) + 1)
      response.setHeader('content-type', 'text/html')
      return void response.end(
        `<!doctype html><title>page</title><link rel="icon" href="data:,"><body><script>${script}</script>`,
      )
    }
    if (pathname === '/stream') return pour(response)
    response.setHeader('access-control-allow-origin', '*')
    response.end('small')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    timesOpened: (key) => opened.get(key) ?? 0,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function pour(response: ServerResponse): void {
  const piece = Buffer.alloc(1024, 'x')
  const write = () => {
    while (!response.destroyed) if (!response.write(piece)) return
  }
  response.on('drain', write)
  response.on('error', () => {})
  write()
}
