import { Worker } from 'node:worker_threads'

/** A file in the directory of a completely initialized database: an interrupted first start leaves none. */
export const COMPLETE = 'tabwire-complete'

export interface EmbeddedWorkerData {
  directory: string
  socketPath: string
  /** Fail if there is no database yet, instead of creating an empty one. */
  mustExist: boolean
}

export type EmbeddedWorkerEvent = { kind: 'ready' } | { kind: 'failed'; reason: string }

/** The thread that runs PGlite, behind its socket. */
export interface EmbeddedThread {
  /** Resolves with the reason when the thread has exited, for any cause. */
  ended: Promise<string>
  /** Asks it to flush everything and exit. */
  askToClose(): void
  terminate(): Promise<void>
}

/** Resolves when it responds on its socket. Rejects, leaving nothing behind, if it cannot or is told to stop. */
export async function startThread(workerData: EmbeddedWorkerData, stop: AbortSignal): Promise<EmbeddedThread> {
  // The file is beside this one, as .ts in the sources and as .js in the bundle.
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const worker = new Worker(new URL(`./embedded-worker.${extension}`, import.meta.url), { workerData })
  let reason = 'its thread ended'
  const ready = Promise.withResolvers<void>()
  worker.on('error', (error) => {
    reason = error.message
  })
  worker.on('message', (event: EmbeddedWorkerEvent) => {
    if (event.kind === 'failed') reason = event.reason
    else ready.resolve()
  })
  const ended = new Promise<string>((resolve) => worker.once('exit', () => resolve(reason)))
  void ended.then((why) => ready.reject(new Error(why)))
  const terminate = async () => {
    await worker.terminate()
    await ended
  }
  const onStop = () => ready.reject(stop.reason)
  stop.addEventListener('abort', onStop)
  try {
    stop.throwIfAborted()
    await ready.promise
  } catch (error) {
    // A thread that failed exits by itself, after it has reported why.
    await terminate()
    throw error
  } finally {
    stop.removeEventListener('abort', onStop)
  }
  return { ended, askToClose: () => worker.postMessage('close'), terminate }
}
