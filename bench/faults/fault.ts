import type { Stage, StageKind } from './stage.ts'

/** A failure to inject, and the conditions that must hold. */
export interface Fault {
  name: string
  /** Databases that it applies to. */
  on: readonly StageKind[]
  /** Whether the neighbor’s latency counts: not if the server or its database fails. */
  sparesNeighbor: boolean
  /** Part of the short run. */
  isShort: boolean
  /** Null if it is possible here, otherwise the reason why not. */
  cannot?(stage: Stage): string | null
  /** Rejects if a condition does not hold. */
  run(stage: Stage): Promise<void>
}

export const BOTH: readonly StageKind[] = ['embedded', 'postgres']
