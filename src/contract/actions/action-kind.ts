import {
  defineInput,
  field,
  type Check,
  type FieldValues,
  type InputDefinition,
  type InputField,
  type InputFields,
} from '../input/input-field.ts'

/** A kind of action: its name and its input. The browser adapter implements it. */
export interface ActionKind<Type extends string, F extends InputFields> {
  /** Its name in the log. */
  type: Type
  /** For clients and models: what the step does. */
  description: string
  input: InputDefinition<F>
}

export function defineAction<Type extends string, F extends InputFields>(
  type: Type,
  inputName: string,
  description: string,
  fields: F,
  check?: Check<FieldValues<F>>,
): ActionKind<Type, F> {
  return { type, description, input: defineInput(inputName, description, fields, check) }
}

/** A kind with the same input as another. */
export function likeAction<Type extends string, F extends InputFields>(
  type: Type,
  other: ActionKind<string, F>,
  description: string,
): ActionKind<Type, F> {
  return { type, description, input: other.input }
}

/** Its name in a @oneOf input. */
export function memberField<F extends InputFields>(kind: ActionKind<string, F>): InputField<FieldValues<F> | null> {
  return field.object(kind.description, kind.input)
}
