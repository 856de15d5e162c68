import { ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3'
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { startFauxqs } from 'fauxqs'
import type { S3Config } from '../../src/adapters/artifacts/s3.ts'

export interface TestS3 {
  config: S3Config
  /** Bytes of the bodies of all requests. */
  receivedBytes: number
  /** Ids of unfinished multipart uploads. */
  unfinished(): Promise<string[]>
  /** Responds instead of the store while it is set; false passes the request on. */
  intercept: ((request: IncomingMessage, response: ServerResponse) => boolean) | null
  close(): Promise<void>
}

/** A real S3 server with a bucket, behind a proxy that tests can intercept. */
export async function startS3(bucket = 'artifacts'): Promise<TestS3> {
  const server = await startFauxqs({ port: 0, host: '127.0.0.1', logger: false })
  server.createBucket(bucket)
  const behind = { host: '127.0.0.1', port: server.port }
  const door = createServer((request, response) => {
    if (test.intercept?.(request, response)) return
    const { method, url, headers } = request
    const forwarded = httpRequest({ ...behind, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(response)
    })
    const giveUp = () => {
      forwarded.destroy()
      response.destroy()
    }
    forwarded.on('error', giveUp)
    request.on('error', giveUp)
    response.on('close', () => forwarded.destroy())
    request.on('data', (chunk: Buffer) => {
      test.receivedBytes += chunk.length
    })
    request.pipe(forwarded)
  })
  await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve))
  const endpoint = `http://127.0.0.1:${(door.address() as AddressInfo).port}`
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test-secret' }
  const config: S3Config = {
    kind: 's3',
    bucket,
    endpoint,
    region: 'us-east-1',
    credentials,
    prefix: 'tabwire/',
    pathStyle: true,
    downloads: 'proxy',
  }
  const client = new S3Client({ endpoint, region: config.region, forcePathStyle: true, credentials })
  const test: TestS3 = {
    config,
    intercept: null,
    receivedBytes: 0,
    async unfinished() {
      const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
      return (Uploads ?? []).map(({ UploadId }) => UploadId ?? '')
    },
    async close() {
      client.destroy()
      door.closeAllConnections()
      await new Promise((resolve) => door.close(resolve))
      await server.stop()
    },
  }
  return test
}
