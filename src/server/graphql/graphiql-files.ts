import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

/** One of GraphiQL's files. */
export interface GraphiqlFile {
  content: Buffer
  /** In a name that is unique for its content. */
  hash: string
}

export type GraphiqlFileName = 'css' | 'editorWorkerService' | 'graphqlWorker' | 'js' | 'jsonWorker'

/**
 * They are texts in a module of nine megabytes: importing it takes half a second of processor time, during which
 * everything else would wait, for a request that needs no key. So a thread does it, and hands over the bytes.
 */
const READ = `
const { createHash } = require('node:crypto')
const { parentPort, workerData } = require('node:worker_threads')
import(workerData).then((texts) => {
  const files = Object.entries(texts)
    .filter(([, text]) => typeof text === 'string')
    .map(([name, text]) => {
      const content = new TextEncoder().encode(text)
      const hash = createHash('sha256').update(content).digest('base64url').slice(0, 16)
      return [name, { content, hash }]
    })
  parentPort.postMessage(files, files.map(([, { content }]) => content.buffer))
})`

export async function readGraphiqlFiles(): Promise<Record<GraphiqlFileName, GraphiqlFile>> {
  const workerData = import.meta.resolve('@graphql-yoga/render-graphiql/graphiql')
  const worker = new Worker(READ, { eval: true, workerData, execArgv: [], env: {} })
  try {
    const ended = once(worker, 'exit').then(() => {
      throw new Error('the files of GraphiQL could not be read')
    })
    const [files] = (await Promise.race([once(worker, 'message'), ended])) as [
      [string, { content: Uint8Array<ArrayBuffer>; hash: string }][],
    ]
    return Object.fromEntries(
      files.map(([name, { content, hash }]) => [name, { content: Buffer.from(content.buffer), hash }]),
    ) as Record<GraphiqlFileName, GraphiqlFile>
  } finally {
    await worker.terminate()
  }
}
