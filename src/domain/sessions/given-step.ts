import type { ActionName, ActionStep } from '../../contract/actions/list.ts'

/** A step, with the things that its ids identify. */
export type GivenStep =
  | ActionStep<Exclude<ActionName, 'upload'>>
  | (ActionStep<'upload'> & {
      /** UUIDs, in the order of artifactIds; null if an id does not identify an artifact. */
      artifacts: readonly (string | null)[]
    })

/** An id without an entry here does not identify an artifact. */
export function givenStep(step: ActionStep, artifacts: readonly (string | null)[]): GivenStep {
  if (step.name !== 'upload') return step
  return { ...step, artifacts: step.input.artifactIds.map((_, index) => artifacts[index] ?? null) }
}
