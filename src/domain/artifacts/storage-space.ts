import type { StorageGuard } from '../../ports/artifacts/storage-guard.ts'
import { StorageFull } from './free-space.ts'

/** Throws StorageFull if a new session could not write. */
export function requireSpace(guards: readonly StorageGuard[]): void {
  for (const guard of guards) {
    const refusal = guard.refusal()
    if (refusal !== null) throw new StorageFull(refusal)
  }
}
