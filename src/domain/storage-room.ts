import type { StorageGuard } from '../ports/storage-guard.ts'
import { TabwireError } from './errors.ts'

/** There is no room where a new session would write. */
export class SessionStorageFull extends TabwireError {
  override readonly code = 'STORAGE_FULL'
}

/** Throws SessionStorageFull. */
export function requireRoom(guards: readonly StorageGuard[]): void {
  for (const guard of guards) {
    const refusal = guard.refusal()
    if (refusal !== null) throw new SessionStorageFull(refusal)
  }
}
