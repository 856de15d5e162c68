import { Worker } from 'node:worker_threads'
import type { SchemaWork, SchemaWorkEvent } from './schema-worker.ts'

/**
 * A JSON Schema from a client is like untrusted code: a pattern may run forever. So it runs in a separate thread, where
 * it blocks no one else, with time limits that are generous enough for a busy machine.
 */
const LIMITS_MS = { load: 30_000, read: 3_000, check: 1_000 } as const
const THREAD_MEMORY_MB = 128

/** The thread's result for the schema or, if there is a value to check, for the value. */
export async function workedOut(workerData: SchemaWork): Promise<string | null> {
  // The file is beside this one, as .ts in the sources and as .js in the bundle.
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const worker = new Worker(new URL(`./schema-worker.${extension}`, import.meta.url), {
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: THREAD_MEMORY_MB },
  })
  let timer: NodeJS.Timeout | undefined
  try {
    return await new Promise<string | null>((resolve, reject) => {
      const allow = (milliseconds: number, whenLate: () => void) => {
        clearTimeout(timer)
        timer = setTimeout(whenLate, milliseconds)
      }
      allow(LIMITS_MS.load, () => reject(new Error('the thread that reads schemas did not start')))
      worker.on('message', (event: SchemaWorkEvent) => {
        if (event.kind === 'loaded') return allow(LIMITS_MS.read, () => resolve('takes too long to be read'))
        const isLast = event.kind === 'checked' || event.problem !== null || workerData.checked === null
        if (isLast) resolve(event.problem)
        else allow(LIMITS_MS.check, () => resolve('it takes too long to be checked'))
      })
      worker.once('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') resolve('takes too much memory')
        else reject(error)
      })
      worker.once('exit', () => reject(new Error('the thread that reads schemas ended')))
    })
  } finally {
    clearTimeout(timer)
    await worker.terminate()
  }
}
