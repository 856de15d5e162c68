import { randomBytes } from 'node:crypto'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

const MIB = 1024 * 1024
/** More than any test lets through, and little enough to be written where one that is not canceled would be. */
const ENDLESS_BYTES = 128 * MIB
/** More than any quota of a test; past it one piece comes at a time, so that canceling is no race with the network. */
const AT_ONCE_BYTES = 16 * MIB
const PAUSE_MS = 200

export interface DownloadSite {
  /** http://127.0.0.1:<port> */
  url: string
  /** Downloads of /endless that were sent to their end. */
  readonly sentWhole: number
  /** Ends the downloads of /held that are still open. */
  release(): void
  close(): Promise<void>
}

/** A site of downloads: /endless goes on without a length; /held has its length, and its end waits; /body is data. */
export async function startDownloadSite(): Promise<DownloadSite> {
  const held = new Set<() => void>()
  let sentWhole = 0
  const endless = (response: ServerResponse) => {
    const piece = Buffer.alloc(MIB / 4, 7)
    let sent = 0
    let isOpen = true
    response.on('close', () => {
      isOpen = false
    })
    const write = () => {
      while (isOpen && sent < ENDLESS_BYTES) {
        sent += piece.length
        if (sent > AT_ONCE_BYTES) {
          response.write(piece)
          return void setTimeout(write, PAUSE_MS).unref()
        }
        if (!response.write(piece)) return void response.once('drain', write)
      }
      if (!isOpen) return
      sentWhole += 1
      response.end()
    }
    write()
  }
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://site')
    const bytes = Number(searchParams.get('bytes'))
    const headers = { 'content-type': 'application/octet-stream', 'content-disposition': 'attachment; filename=x.bin' }
    if (pathname === '/endless') endless(response.writeHead(200, headers))
    else if (pathname === '/held') {
      response.writeHead(200, { ...headers, 'content-length': bytes })
      // All but a little, so that nothing of it is left unsent; only what a browser sniffs where its length is all that counts.
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
    get sentWhole() {
      return sentWhole
    },
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
