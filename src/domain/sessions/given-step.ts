import type { ActionName, ActionStep } from '../../contract/actions/list.ts'

/** A step to take, with what the ids in it name. */
export type GivenStep =
  | ActionStep<Exclude<ActionName, 'upload'>>
  | (ActionStep<'upload'> & {
      /** UUIDs, in the order of artifactIds; null where an id names no artifact. */
      artifacts: readonly (string | null)[]
    })

/** An id for which nothing is given names no artifact. */
export function givenStep(step: ActionStep, artifacts: readonly (string | null)[]): GivenStep {
  if (step.name !== 'upload') return step
  return { ...step, artifacts: step.input.artifactIds.map((_, index) => artifacts[index] ?? null) }
}
