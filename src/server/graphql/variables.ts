import {
  GraphQLError,
  isInputObjectType,
  isListType,
  isNonNullType,
  isRequiredInputField,
  Kind,
  typeFromAST,
  type GraphQLInputObjectType,
  type GraphQLInputType,
  type OperationDefinitionNode,
} from 'graphql'
import { ISSUE_LIMITS, type InputIssue } from '../../domain/kernel/errors.ts'
import { schema } from '../../schema/schema.ts'
import { badUserInput, requestError } from '../base/graphql-errors.ts'

/**
 * Limits of an operation's variables. Validation takes time per value, error messages per level; the largest input that
 * the schema accepts, a hundred steps that each extract a hundred fields, has about 41,000 values.
 */
export const VARIABLE_LIMITS = {
  values: 50_000,
  depth: 100,
  /** Fields of input types, given or not, which are looked up in every object: a hundred steps have some 4,000. */
  fields: 50_000,
} as const

/** Of input types. */
const SECRET_MEMBERS: ReadonlySet<string | number> = new Set(['username', 'password'])

type Path = readonly (string | number)[]

/** Rejects variables that are too large to validate. Null: they may be validated. */
export function checkAmount(variables: Record<string, unknown>): GraphQLError | null {
  let level: unknown[] = [variables]
  let values = 0
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > VARIABLE_LIMITS.depth) return tooLarge(`nest at most ${VARIABLE_LIMITS.depth} levels deep`)
    const next: unknown[] = []
    for (const value of level) {
      if (typeof value !== 'object' || value === null) continue
      const members = Array.isArray(value) ? value : Object.values(value)
      values += members.length
      if (values > VARIABLE_LIMITS.values) return tooLarge(`hold at most ${VARIABLE_LIMITS.values} values in all`)
      for (const member of members) next.push(member)
    }
    level = next
  }
  return null
}

function tooLarge(rule: string): GraphQLError {
  return badUserInput([{ path: ['variables'], code: 'TOO_LONG', message: `The variables must ${rule}.` }])
}

/**
 * Errors in the variables of an operation, each with its path, up to a limit. A member that the input type does not
 * have is an error in the operation, as if it were written inline. GraphQL's own list is unlimited, and repeats the
 * whole object with each error.
 */
export function mistakesIn(operation: OperationDefinitionNode, variables: Record<string, unknown>): GraphQLError[] {
  const definitions = operation.variableDefinitions ?? []
  const mistakes = new Mistakes()
  for (const definition of definitions) {
    const name = definition.variable.name.value
    const type = typeFromAST(schema, definition.type) as GraphQLInputType
    const value = Object.hasOwn(variables, name) ? variables[name] : undefined
    if (value === undefined && (definition.defaultValue || definition.type.kind !== Kind.NON_NULL_TYPE)) continue
    mistakes.look(value, type, [name])
  }
  const { issues, unknownMembers, hasMore, isTooMuch } = mistakes
  if (isTooMuch) return [tooLarge('hold fewer objects')]
  const errors = unknownMembers.map((message) =>
    requestError(
      new GraphQLError(message, { nodes: definitions }),
      'GRAPHQL_VALIDATION_FAILED',
      hasMore ? { hasMoreIssues: true } : {},
    ),
  )
  return issues.length > 0 ? [...errors, badUserInput(issues, definitions, hasMore)] : errors
}

class Mistakes {
  readonly issues: InputIssue[] = []
  readonly unknownMembers: string[] = []

  /** Whether there are more errors than reported. */
  hasMore = false
  #fields = 0

  /** Whether there are too many objects to check all of them. */
  get isTooMuch(): boolean {
    return this.#fields > VARIABLE_LIMITS.fields
  }

  get #isDone(): boolean {
    return this.hasMore || this.isTooMuch
  }

  look(value: unknown, type: GraphQLInputType, path: Path): void {
    if (this.#isDone) return
    if (isNonNullType(type)) {
      if (value === undefined) this.#add(path, 'REQUIRED', `Expected a value of type "${String(type)}" to be provided.`)
      else if (value === null)
        this.#add(path, 'INVALID_FORMAT', `Expected a value of type "${String(type)}" not to be null.`)
      else this.look(value, type.ofType, path)
    } else if (value === null || value === undefined) {
      return
    } else if (isListType(type)) {
      // A single value is coerced to a list of one.
      if (!Array.isArray(value)) return this.look(value, type.ofType, path)
      for (let index = 0; index < value.length && !this.#isDone; index += 1) {
        this.look(value[index], type.ofType, [...path, index])
      }
    } else if (isInputObjectType(type)) {
      if (typeof value !== 'object' || Array.isArray(value)) {
        this.#add(path, 'INVALID_FORMAT', `Expected a value of type "${String(type)}" to be an object.`)
      } else this.#lookInto(value as Record<string, unknown>, type, path)
    } else {
      try {
        if (type.coerceInputValue(value) !== undefined) return
        this.#add(path, 'INVALID_FORMAT', `Expected a value of type "${String(type)}".`)
      } catch (error) {
        // The message of GraphQL repeats the value.
        const isShown = error instanceof Error && !path.some((name) => SECRET_MEMBERS.has(name))
        this.#add(path, 'INVALID_FORMAT', isShown ? error.message : `Expected a value of type "${String(type)}".`)
      }
    }
  }

  #lookInto(value: Record<string, unknown>, type: GraphQLInputObjectType, path: Path): void {
    const fields = type.getFields()
    const all = Object.values(fields)
    this.#fields += all.length
    for (const field of all) {
      const member = Object.hasOwn(value, field.name) ? value[field.name] : undefined
      if (member !== undefined) this.look(member, field.type, [...path, field.name])
      else if (isRequiredInputField(field)) {
        this.#add(
          [...path, field.name],
          'REQUIRED',
          `Expected "${String(type)}" to include the required field "${field.name}".`,
        )
      }
    }
    let known = 0
    for (const name in value) {
      if (Object.hasOwn(fields, name)) known += 1
      else if (this.#isDone) return
      else if (this.#hasSpace())
        this.unknownMembers.push(
          `Expected "${String(type)}" at ${path.join('.')} not to include the unknown field "${name}".`,
        )
    }
    if (!type.isOneOf || (known === 1 && Object.values(value).every((member) => member !== null))) return
    this.#add(
      path,
      'INVALID_FORMAT',
      `Expected exactly one field of "${String(type)}" to be given, and not to be null.`,
    )
  }

  #add(path: Path, code: string, message: string): void {
    if (this.#hasSpace()) this.issues.push({ path: [...path], code, message })
  }

  #hasSpace(): boolean {
    this.hasMore = this.issues.length + this.unknownMembers.length >= ISSUE_LIMITS.issues
    return !this.hasMore
  }
}
