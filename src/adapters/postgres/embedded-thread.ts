import { Worker } from 'node:worker_threads'

/** A file in the directory of a database that has been made whole: an interrupted first start leaves none. */
export const COMPLETE = 'tabwire-complete'

export interface EmbeddedWorkerData {
  directory: string
  socketPath: string
  /** Fail where there is no database yet, instead of making an empty one. */
  mustExist: boolean
}

export type EmbeddedWorkerEvent = { kind: 'ready' } | { kind: 'failed'; reason: string }

/** The thread in which PGlite runs, behind its socket. */
export interface EmbeddedThread {
  /** Resolves with the reason when the thread has ended, whoever ended it. */
  ended: Promise<string>
  /** Asks it to write everything down and to end. */
  askToClose(): void
  terminate(): Promise<void>
}

/** Resolves when it answers on its socket. Rejects, and nothing is left of it, when it cannot or is told to stop. */
export async function startThread(workerData: EmbeddedWorkerData, stop: AbortSignal): Promise<EmbeddedThread> {
  // The file lies beside this one, as .ts in the sources and as .js in the bundle.
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
    // A thread that failed ends by itself, after it has said why.
    await terminate()
    throw error
  } finally {
    stop.removeEventListener('abort', onStop)
  }
  return { ended, askToClose: () => worker.postMessage('close'), terminate }
}
