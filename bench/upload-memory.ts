import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { startS3 } from '../test/support/s3-server.ts'
import { megabytes, type Benchmark, type Finding, type Workbench } from './benchmark.ts'
import type { ServerProcess } from './server-process.ts'

const UPLOAD_BYTES = 200 * 1024 * 1024
const CHUNK = Buffer.alloc(64 * 1024, 'tabwire ')
const ROUNDS = 3
const LOOK_MS = 10

const CREATE = `mutation ($id: ID!) {
  createUpload(sessionId: $id, name: "large.bin", contentType: "application/octet-stream") { url }
}`

/** What a large upload takes of the server's memory, into a folder and into a bucket. */
export const uploadMemory: Benchmark = {
  name: 'upload',
  async run(workbench) {
    const findings = [await measure(workbench, 'disk', {})]
    const s3 = await startS3()
    try {
      const { bucket, endpoint, region, credentials } = s3.config
      const environment = {
        TABWIRE_S3_BUCKET: bucket,
        TABWIRE_S3_ENDPOINT: endpoint ?? '',
        TABWIRE_S3_REGION: region,
        TABWIRE_S3_ACCESS_KEY_ID: credentials?.accessKeyId ?? '',
        TABWIRE_S3_SECRET_ACCESS_KEY: credentials?.secretAccessKey ?? '',
      }
      findings.push(await measure(workbench, 's3', environment))
    } finally {
      await s3.close()
    }
    return findings
  },
}

async function measure(workbench: Workbench, where: string, environment: Record<string, string>): Promise<Finding> {
  const server = await workbench.startServer(environment)
  const { startSession } = await server.client.query<{ startSession: { id: string } }>(
    'mutation { startSession(waitUntil: RUNNING) { id } }',
  )
  // The first one loads what all need.
  await upload(server, startSession.id)
  const rounds: { idle: number; peak: number }[] = []
  for (let round = 0; round < ROUNDS; round += 1) rounds.push(await measureOne(workbench, server, startSession.id))
  await workbench.stop(server)
  const growths = rounds.map(({ idle, peak }) => peak - idle).toSorted((one, other) => one - other)
  const middle = rounds.find(({ idle, peak }) => peak - idle === growths[Math.floor(ROUNDS / 2)])!
  return {
    id: `upload-${where}`,
    what: `memory of the server while 200 MB are uploaded to ${where === 's3' ? 'S3' : 'disk'}, peak over idle`,
    figure: middle.peak - middle.idle,
    unit: 'MB',
    spread: [growths[0]!, growths.at(-1)!],
    must: 64,
    aim: 32,
    baseline: `${megabytes(middle.idle)} idle`,
    measured: `${megabytes(middle.peak)} at most`,
  }
}

async function measureOne({ meter }: Workbench, server: ServerProcess, sessionId: string) {
  await server.collect()
  const idle = await residentMegabytes(server.pid)
  let peak = idle
  const done = new AbortController()
  const watching = (async () => {
    while (!done.signal.aborted) {
      peak = Math.max(peak, await residentMegabytes(server.pid))
      await pause(LOOK_MS)
    }
  })()
  await meter.during('measured', () => upload(server, sessionId))
  done.abort()
  await watching
  return { idle, peak }
}

async function upload({ client }: ServerProcess, id: string): Promise<void> {
  const { createUpload } = await client.query<{ createUpload: { url: string } }>(CREATE, { id })
  let left = UPLOAD_BYTES
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (left === 0) return controller.close()
      left -= CHUNK.length
      controller.enqueue(CHUNK)
    },
  })
  const headers = { 'content-type': 'application/octet-stream' }
  const response = await fetch(createUpload.url, { method: 'PUT', body, headers, duplex: 'half' } as RequestInit)
  if (response.status !== 201) throw new Error(`the upload was refused: ${response.status} ${await response.text()}`)
}

async function residentMegabytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]) / 1024
}
