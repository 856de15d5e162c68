import { spawn } from 'node:child_process'
import { PassThrough } from 'node:stream'
import { CdpConnection } from '../../../src/adapters/playwright/cdp/connection/cdp-connection.ts'
import { createBrowserPipes } from '../../../src/adapters/playwright/cdp/pipe/browser-pipes.ts'
import { createLogger } from '../../../src/logger.ts'

/*
 * A separate program, since it measures the memory of its process: node --expose-gc pipe-memory.ts <message>. Another
 * process sends one message over a real pipe, like a browser; the result is this process's peak memory beyond its
 * initial memory, garbage included.
 */
const MIB = 1024 * 1024

const EVENT = '{"method":"Runtime.consoleAPICalled","params":{"type":"log","args":[{"type":"string","value":"'
const EVENT_END = '"}]},"sessionId":"page"}'
const ANSWER = '{"id":1000000001,"result":{"data":"'
const ANSWER_END = '"},"sessionId":"page"}'

/** Head, one repeated chunk, total bytes, tail. */
const MESSAGES: Record<string, [head: string, piece: string, bytes: number, tail: string]> = {
  parsed: [EVENT, 'x', 16 * MIB, EVENT_END],
  // Each of its characters takes two bytes in memory, one of them two in the message.
  'parsed, wide': [`${EVENT}€`, 'x', 16 * MIB, EVENT_END],
  'parsed, escaped': [`${EVENT}€`, '\\n', 16 * MIB, EVENT_END],
  relayed: [ANSWER, 'x', 64 * MIB, ANSWER_END],
  skipped: [EVENT, 'x', 590 * MIB, EVENT_END],
  'skipped answer': [ANSWER, 'x', 590 * MIB, ANSWER_END],
}

const [head, piece, bytes, tail] = MESSAGES[process.argv[2] ?? '']!
const source = `
  const [head, piece, bytes, tail] = ${JSON.stringify([head, piece, bytes, tail])}
  const { writeSync } = require('node:fs')
  const say = (data) => { for (let at = 0; at < data.length;) try { at += writeSync(1, data, at) } catch (error) { if (error.code !== 'EAGAIN') throw error } }
  say(Buffer.from((head + tail).replace('1000000001', '1000000000') + '\\0'))
  process.stdin.once('data', () => {
    say(Buffer.from(head))
    let left = bytes - Buffer.byteLength(head) - Buffer.byteLength(tail)
    left -= left % piece.length
    const block = Buffer.from(piece.repeat(65536))
    for (; left > 0; left -= block.length) say(block.subarray(0, Math.min(left, block.length)))
    say(Buffer.from(tail + '\\0'))
    process.stdin.unref()
  })`
const child = spawn(process.execPath, ['-e', source], { stdio: ['pipe', 'pipe', 'inherit'] })

const pipes = createBrowserPipes()
const connection = new CdpConnection(new PassThrough().resume(), child.stdout, '/', pipes, createLogger('silent'))
const taken = () => {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
let before = 0
let most = 0
const look = () => (most = Math.max(most, taken() - before))

let next = Promise.withResolvers<string>()
const received = (what: string) => {
  look()
  next.resolve(what)
}
connection.on('Runtime.consoleAPICalled', () => received('parsed'))
connection.onSkipped(() => received('skipped'))
connection.transport.onmessage = look
const ask = () => {
  const command = { method: 'Page.captureScreenshot', params: {}, sessionId: 'page' }
  connection.relay(command, { answered: () => received('relayed'), tooLarge: () => received('skipped') })
}
child.stdout.on('data', look)
if (head.startsWith(ANSWER)) ask()
// A small one first, to exclude one-time allocations.
await next.promise
next = Promise.withResolvers()
if (head.startsWith(ANSWER)) ask()
await new Promise(setImmediate)
globalThis.gc!()
before = taken()
most = 0
child.stdin.end('go')
const what = await next.promise
await new Promise(setImmediate)
look()
process.stdout.write(`${JSON.stringify({ what, most })}\n`)
child.kill()
