import type { ExecutionResult } from 'graphql'

/** Comments that keep proxies from cutting a quiet stream. */
const HEARTBEAT_MS = 12_000

/**
 * The results of a subscription as server-sent events, in the "distinct connections mode" of graphql-sse. Pulled, not
 * pushed: a client that stops reading stops the iterator, and one that leaves ends it at once.
 */
export function eventStream(results: AsyncGenerator<ExecutionResult, void, void>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let heartbeat: NodeJS.Timeout | undefined
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        // Some clients tell their caller of the answer only once something came.
        controller.enqueue(encoder.encode(':\n\n'))
        heartbeat = setInterval(() => {
          if ((controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(':\n\n'))
        }, HEARTBEAT_MS)
        heartbeat.unref()
      },
      async pull(controller) {
        const { done, value } = await results.next()
        if (value) controller.enqueue(encoder.encode(`event: next\ndata: ${JSON.stringify(value)}\n\n`))
        if (!done) return
        clearInterval(heartbeat)
        controller.enqueue(encoder.encode('event: complete\ndata:\n\n'))
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

export const EVENT_STREAM_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  // nginx would gather the events otherwise.
  'x-accel-buffering': 'no',
}
