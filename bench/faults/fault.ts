import type { Stage, StageKind } from './stage.ts'

/** Something that goes wrong, and what must be true of it. */
export interface Fault {
  name: string
  /** Which databases it makes sense on. */
  on: readonly StageKind[]
  /** Whether the neighbor’s latency counts: not where the server or its database is what fails. */
  sparesNeighbor: boolean
  /** Part of the short run. */
  isShort: boolean
  /** Null: it can be done here; else why it cannot. */
  cannot?(stage: Stage): string | null
  /** Rejects when what must be true is not. */
  run(stage: Stage): Promise<void>
}

export const BOTH: readonly StageKind[] = ['embedded', 'postgres']
