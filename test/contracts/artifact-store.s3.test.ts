import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openS3ArtifactStore } from '../../src/adapters/artifacts/s3.ts'
import { createLogger } from '../../src/logger.ts'
import { StorageUnavailable, type ArtifactStore } from '../../src/ports/artifacts/artifact-store.ts'
import { startS3, type TestS3 } from '../support/s3-server.ts'
import { describeArtifactStore, manyBytes } from './artifact-store.contract.ts'

const logger = createLogger('silent')
const NEVER = new AbortController().signal
const ANY_SIZE = { contentType: 'text/plain', maxBytes: Number.MAX_SAFE_INTEGER }

const isWrite = (method: string | undefined) => method === 'PUT' || method === 'POST'

describe('in a bucket', () => {
  describeArtifactStore(async () => {
    const s3 = await startS3()
    const store = await openS3ArtifactStore(s3.config, logger)
    const restore = async () => {
      s3.intercept = null
    }
    return {
      store,
      taken: () => s3.receivedBytes,
      unfinished: () => s3.unfinished(),
      fill: async () => {
        let parts = 0
        s3.intercept = ({ method, url = '' }, response) => {
          if (method !== 'PUT' || (url.includes('partNumber=') && (parts += 1) <= 2)) return false
          const body = '<Error><Code>XMinioStorageFull</Code><Message>no room</Message></Error>'
          response.writeHead(507, { 'content-type': 'application/xml', connection: 'close' }).end(body)
          return true
        }
        return restore
      },
      takeAway: async () => {
        s3.intercept = ({ socket }) => {
          socket.destroy()
          return true
        }
        return restore
      },
      close: async () => {
        await store.close()
        await s3.close()
      },
    }
  })
})

describe('requests', () => {
  let s3: TestS3
  let store: ArtifactStore
  beforeAll(async () => {
    s3 = await startS3()
    store = await openS3ArtifactStore(s3.config, logger)
  })
  afterAll(async () => {
    await store.close()
    await s3.close()
  })

  test('carry the content type, and no checksum that other servers than AWS do not know', async () => {
    const seen: { method: string | undefined; headers: NodeJS.Dict<string | string[]> }[] = []
    s3.intercept = ({ method, headers }) => {
      seen.push({ method, headers })
      return false
    }
    await store.write('one/small', Readable.from(['x']), ANY_SIZE, NEVER)
    await store.write('one/large', manyBytes(12 * 1024 * 1024), ANY_SIZE, NEVER)
    s3.intercept = null
    expect(seen.map(({ method }) => method)).toEqual(['PUT', 'POST', 'PUT', 'PUT', 'PUT', 'POST'])
    expect([seen[0], seen[1]].map((request) => request!.headers['content-type'])).toEqual(['text/plain', 'text/plain'])
    expect(seen.flatMap(({ headers }) => Object.keys(headers)).filter((name) => /checksum|trailer/.test(name))).toEqual(
      [],
    )
  })

  test('that fail for a moment are made again', async () => {
    let failures = 2
    s3.intercept = ({ method }, response) => {
      if (!isWrite(method) || failures === 0) return false
      failures -= 1
      response.writeHead(503, { connection: 'close' }).end()
      return true
    }
    const { sizeBytes } = await store.write('two/retried', manyBytes(6 * 1024 * 1024), ANY_SIZE, NEVER)
    s3.intercept = null
    expect([sizeBytes, failures]).toEqual([6 * 1024 * 1024, 0])
  })

  test('of an upload whose end fails leave neither parts nor object', async () => {
    s3.intercept = ({ method, url = '' }, response) => {
      if (method !== 'POST' || !url.includes('uploadId=')) return false
      response.writeHead(403, { connection: 'close' }).end('<Error><Code>AccessDenied</Code></Error>')
      return true
    }
    const writing = store.write('three/denied', manyBytes(12 * 1024 * 1024), ANY_SIZE, NEVER)
    await expect(writing).rejects.toThrow(StorageUnavailable)
    s3.intercept = null
    expect(await s3.unfinished()).toEqual([])
    expect(await Array.fromAsync(store.list('three/'))).toEqual([])
  })

  test('go below the prefix, and what lies beside it is not seen', async () => {
    const beside = await openS3ArtifactStore({ ...s3.config, prefix: 'other/' }, logger)
    await beside.write('four/x', Readable.from(['beside']), ANY_SIZE, NEVER)
    expect(await Array.fromAsync(store.list('four/'))).toEqual([])
    expect((await Array.fromAsync(beside.list(''))).map(({ key }) => key)).toEqual(['four/x'])
    await beside.close()
  })

  test('to a bucket that is not there, or a server that is not, are told at the start', async () => {
    await expect(openS3ArtifactStore({ ...s3.config, bucket: 'nowhere' }, logger)).rejects.toThrow(Error)
    const unreachable = { ...s3.config, endpoint: 'http://127.0.0.1:9' }
    await expect(openS3ArtifactStore(unreachable, logger)).rejects.toThrow(StorageUnavailable)
  })
})
