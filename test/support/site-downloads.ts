import { randomBytes } from 'node:crypto'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

const MIB = 1024 * 1024

export interface DownloadSite {
  /** http://127.0.0.1:<port> */
  url: string
  /** Downloads of /endless: number started, number still being sent, total bytes sent. */
  readonly endless: { readonly begun: number; readonly open: number; readonly bytes: number }
  /** Ends the pending downloads of /held. */
  release(): void
  close(): Promise<void>
}

/**
 * A site of downloads: /endless continues without a length, as fast as it is read, until it is canceled; /held has a
 * length, and its end is held; /body is data.
 */
export async function startDownloadSite(): Promise<DownloadSite> {
  const held = new Set<() => void>()
  const endless = { begun: 0, open: 0, bytes: 0 }
  const sendWithoutEnd = (response: ServerResponse) => {
    const piece = Buffer.alloc(MIB / 4, 7)
    endless.begun += 1
    endless.open += 1
    response.on('close', () => (endless.open -= 1))
    const write = () => {
      if (response.destroyed) return
      endless.bytes += piece.length
      // One turn of the event loop each: whatever the kernel accepts immediately is drained before anything else
      // runs.
      const isTaken = response.write(piece)
      if (isTaken) setImmediate(write)
      else response.once('drain', () => setImmediate(write))
    }
    write()
  }
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://site')
    const bytes = Number(searchParams.get('bytes'))
    const headers = { 'content-type': 'application/octet-stream', 'content-disposition': 'attachment; filename=x.bin' }
    if (pathname === '/endless') sendWithoutEnd(response.writeHead(200, headers))
    else if (pathname === '/held') {
      response.writeHead(200, { ...headers, 'content-length': bytes })
      // All but a little, so that none of it stays unsent; only as much as a browser sniffs if only the length
      // matters.
      const sent = searchParams.has('silent') ? 2_048 : bytes - 1
      response.write(Buffer.alloc(sent))
      response.flushHeaders()
      const end = () => response.end(Buffer.alloc(bytes - sent))
      held.add(end)
      response.on('close', () => held.delete(end))
    } else if (pathname === '/body') {
      response
        .writeHead(200, { 'content-type': 'text/plain' })
        .end(randomBytes(bytes).toString('base64').slice(0, bytes))
    } else response.writeHead(200, { 'content-type': 'text/html' }).end(PAGE)
  })
  const { promise: listening, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await listening
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    endless,
    release: () => {
      for (const end of held) end()
    },
    close: async () => {
      server.closeAllConnections()
      const closed = Promise.withResolvers<void>()
      server.close(() => closed.resolve())
      await closed.promise
    },
  }
}

const PAGE = '<!doctype html><link rel="icon" href="data:,"><title>downloads</title><input type="file" id="file">'
