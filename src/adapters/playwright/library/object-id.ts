import type { JSHandle } from 'playwright'

/** What Playwright keeps of its connection with itself. */
interface Inside {
  _connection?: { toImpl?: (handle: unknown) => { _objectId?: unknown } | undefined }
}

/** By what the browser knows the object of a handle, in the session of its page. Playwright tells nobody. */
export function objectIdOf(handle: JSHandle): string {
  const objectId = (handle as unknown as Inside)._connection?.toImpl?.(handle)?._objectId
  if (typeof objectId !== 'string') throw new Error('Playwright does not tell the object of a handle')
  return objectId
}
