import type { Dialog } from 'playwright'

/** What Playwright keeps of its connection with itself. */
interface Inside {
  _connection?: { toImpl?: (dialog: unknown) => { page?: () => { delegate?: { _targetId?: unknown } } } | undefined }
}

/**
 * The target of the page that a dialog blocks, also where Playwright has not made a page of it yet. Playwright has no API
 * for it, and the type and text of a dialog may be those of another one, too.
 */
export function targetIdOf(dialog: Dialog): string {
  const targetId = (dialog as unknown as Inside)._connection?.toImpl?.(dialog)?.page?.().delegate?._targetId
  if (typeof targetId !== 'string') throw new Error('Playwright does not tell the target of a dialog')
  return targetId
}
