import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Worker } from 'node:worker_threads'

export interface SilentPort {
  /** On 127.0.0.1; connections hang instead of being refused. */
  port: number
  /** Starts to accept connections, pending ones included. */
  wake(): void
  close(): Promise<void>
}

/** Listens with a full backlog, and never accepts: its thread sleeps. */
const SLEEPER = `
  const { parentPort, workerData } = require('node:worker_threads')
  const server = require('node:net').createServer()
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    parentPort.postMessage(server.address().port)
    Atomics.wait(new Int32Array(workerData), 0, 0)
    parentPort.once('message', () => process.exit())
  })`

/** Number of attempts after which none succeeds anymore. */
const ATTEMPTS = 4

export async function openSilentPort(): Promise<SilentPort> {
  const alarm = new SharedArrayBuffer(4)
  const worker = new Worker(SLEEPER, { eval: true, workerData: alarm })
  const [port] = (await once(worker, 'message')) as [number]
  const waiting: Socket[] = []
  // The kernel accepts as many as it queues; they stay open, to keep others out.
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    waiting.push(socket)
  }
  await Promise.all(waiting.slice(0, 2).map((socket) => once(socket, 'connect')))
  const wake = () => {
    for (const socket of waiting) socket.destroy()
    Atomics.store(new Int32Array(alarm), 0, 1)
    Atomics.notify(new Int32Array(alarm), 0)
  }
  return {
    port,
    wake,
    async close() {
      wake()
      worker.postMessage('close')
      await once(worker, 'exit')
    },
  }
}
