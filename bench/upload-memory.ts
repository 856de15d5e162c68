import { readFile, writeFile } from 'node:fs/promises'
import { startS3 } from '../test/support/s3-server.ts'
import { megabytes, type Benchmark, type Finding, type Workbench } from './benchmark.ts'
import type { ServerProcess } from './server-process.ts'
import { untilWarm } from './warm-pool.ts'

const UPLOAD_BYTES = 200 * 1024 * 1024
const CHUNK = Buffer.alloc(64 * 1024, 'tabwire ')
/** Loads the code for uploads, and is too small to grow the heap. */
const FIRST_BYTES = 1024 * 1024
const ROUNDS = 3
/** Written to /proc/<pid>/clear_refs, resets the peak memory. */
const FORGET_PEAK = '5'

const CREATE = `mutation ($id: ID!) {
  createUpload(sessionId: $id, name: "large.bin", contentType: "application/octet-stream") { url }
}`

/** Peak memory of the server during a large upload, to a folder and to a bucket. */
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
  const rounds: { idle: number; peak: number }[] = []
  for (let round = 0; round < ROUNDS; round += 1) rounds.push(await measureOne(workbench, environment))
  const sorted = rounds.toSorted((one, other) => growthOf(one) - growthOf(other))
  const middle = sorted[Math.floor(ROUNDS / 2)]!
  return {
    id: `upload-${where}`,
    what: `memory of the server while 200 MB are uploaded to ${where === 's3' ? 'S3' : 'disk'}, peak over idle`,
    figure: growthOf(middle),
    unit: 'MB',
    spread: [growthOf(sorted[0]!), growthOf(sorted.at(-1)!)],
    must: 64,
    aim: 32,
    baseline: `${megabytes(middle.idle)} idle`,
    measured: `${megabytes(middle.peak)} at most`,
  }
}

const growthOf = ({ idle, peak }: { idle: number; peak: number }) => peak - idle

/** On a new server each time: memory used by one large upload would count as idle memory in the next. */
async function measureOne(workbench: Workbench, environment: Record<string, string>) {
  const server = await workbench.startServer(environment)
  const { startSession } = await server.client.query<{ startSession: { id: string } }>(
    'mutation { startSession(waitUntil: RUNNING) { id } }',
  )
  await untilWarm(server.client)
  await upload(server, startSession.id, FIRST_BYTES)
  await server.collect()
  const idle = await megabytesOf(server.pid, 'VmRSS')
  await writeFile(`/proc/${server.pid}/clear_refs`, FORGET_PEAK)
  await workbench.meter.during('measured', () => upload(server, startSession.id, UPLOAD_BYTES))
  const peak = await megabytesOf(server.pid, 'VmHWM')
  await workbench.stop(server)
  return { idle, peak }
}

async function upload({ client }: ServerProcess, id: string, bytes: number): Promise<void> {
  const { createUpload } = await client.query<{ createUpload: { url: string } }>(CREATE, { id })
  let left = bytes
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

async function megabytesOf(pid: number, field: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)![1]) / 1024
}
