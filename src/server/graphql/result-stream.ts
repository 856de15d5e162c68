import type { ExecutionResult } from 'graphql'

/** Keeps proxies from cutting a quiet stream. */
const HEARTBEAT_MS = 12_000

/** How the results of a subscription are written into the body of one response. */
export interface StreamFormat {
  readonly mediaType: string
  readonly headers: Readonly<Record<string, string>>
  /** Sent at once: some clients tell their caller of the response only once something came. */
  readonly opening: string
  readonly heartbeat: string
  /** After the last result. A stream without it was broken off. */
  readonly closing: string
  result(json: string): string
}

/** For every stream: it is neither kept nor gathered on its way. */
export const STREAM_HEADERS = {
  'cache-control': 'no-cache, no-transform',
  // nginx would gather the results otherwise.
  'x-accel-buffering': 'no',
}

/**
 * The results of a subscription as the body of a response. Pulled, not pushed: a client that stops reading stops the
 * iterator, and one that leaves ends it at once.
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
