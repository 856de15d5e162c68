import type { ActionName, ActionStep } from '../../contract/actions/list.ts'

/** A step to take, with what the ids in it name. */
export type GivenStep =
  | ActionStep<Exclude<ActionName, 'upload'>>
  | (ActionStep<'upload'> & {
      /** UUIDs, in the order of artifactIds; null where an id names no artifact. */
      artifacts: readonly (string | null)[]
    })

export function givenStep(step: ActionStep, artifacts: readonly (string | null)[]): GivenStep {
  return step.name === 'upload' ? { ...step, artifacts } : step
}
