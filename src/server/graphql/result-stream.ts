import type { ExecutionResult } from 'graphql'

/** Keeps proxies from closing a quiet stream. */
const HEARTBEAT_MS = 12_000

/** The format in which a subscription's results are written to a response body. */
export interface StreamFormat {
  readonly mediaType: string
  readonly headers: Readonly<Record<string, string>>
  /** Sent at once: some clients report the response to their caller only after the first bytes. */
  readonly opening: string
  readonly heartbeat: string
  /** After the last result. A stream that ends without it was aborted. */
  readonly closing: string
  result(json: string): string
}

/** For every stream: it must be neither cached nor buffered. */
export const STREAM_HEADERS = {
  'cache-control': 'no-cache, no-transform',
  // Otherwise nginx buffers the results.
  'x-accel-buffering': 'no',
}

/**
 * The results of a subscription as a response body. Pull-based: a client that stops reading pauses the iterator, and
 * one that disconnects ends it at once.
 */
export function resultStream(
  results: AsyncGenerator<ExecutionResult, void, void>,
  format: StreamFormat,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let heartbeat: NodeJS.Timeout | undefined
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        controller.enqueue(encoder.encode(format.opening))
        heartbeat = setInterval(() => {
          if ((controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(format.heartbeat))
        }, HEARTBEAT_MS)
        heartbeat.unref()
      },
      async pull(controller) {
        const { done, value } = await results.next()
        if (value) controller.enqueue(encoder.encode(format.result(JSON.stringify(value))))
        if (!done) return
        clearInterval(heartbeat)
        controller.enqueue(encoder.encode(format.closing))
        controller.close()
      },
      async cancel() {
        clearInterval(heartbeat)
        await results.return()
      },
    },
    { highWaterMark: 1 },
  )
}
