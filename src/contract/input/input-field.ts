import { z } from 'zod'
import { isDeeperThan } from './json-depth.ts'

/**
 * Single definition of an input: the schema derives GraphQL input types from it, the domain checks its rules, and
 * models receive it as JSON Schema.
 */
export interface InputField<T = unknown> {
  type: InputFieldType
  list: boolean
  required: boolean
  /** Default shown in the schema; undefined: none. */
  defaultValue?: DefaultValue
  description: string
  /** Absent and null are equivalent: the default, or null if there is none. */
  rule: z.ZodType<T>
}

type DefaultValue = string | number | boolean | DefaultValue[] | { [key: string]: DefaultValue }

type InputFieldType =
  | 'String'
  | 'Int'
  | 'Float'
  | 'Boolean'
  | 'JSON'
  | 'ID'
  | 'DateTime'
  | EnumDefinition<string>
  | InputDefinition<InputFields>

export interface EnumDefinition<V extends string> {
  enumName: string
  description: string
  values: Readonly<Record<V, string>>
  /** Names that differ in the API, since stored data keeps the old name. */
  names?: Partial<Record<V, string>>
}

export type InputFields = Readonly<Record<string, InputField>>

export interface InputDefinition<F extends InputFields> {
  inputName: string
  description: string
  /** Exactly one of its fields must be given. */
  isOneOf: boolean
  fields: F
  /** Checks the whole input, including its fields. */
  rule: z.ZodType<FieldValues<F>>
}

export type FieldValues<F extends InputFields> = { [K in keyof F]: F[K] extends InputField<infer T> ? T : never }

/** A problem with a value, under a stable code (InputIssue of the domain). Null: none. */
export type Check<T> = (value: T) => { code: string; message: string } | null

/** A zod schema refined by checks with their own codes. */
export function ruled<S extends z.ZodType>(schema: S, ...checks: Check<z.output<S>>[]) {
  return schema.superRefine((value, context) => {
    for (const check of checks) {
      const problem = check(value)
      if (problem) context.addIssue({ code: 'custom', message: problem.message, params: { code: problem.code } })
    }
  })
}

export const wholeNumberWithin =
  (min: number, max: number): Check<number> =>
  (value) =>
    Number.isInteger(value) && value >= min && value <= max
      ? null
      : { code: 'OUT_OF_RANGE', message: `must be a whole number from ${min} to ${max}` }

export const lengthWithin =
  (min: number, max: number): Check<string> =>
  (value) =>
    value.length < min
      ? { code: 'TOO_SHORT', message: 'must not be empty' }
      : value.length > max
        ? { code: 'TOO_LONG', message: `must have at most ${max} characters; it has ${value.length}` }
        : null

/** PostgreSQL and CDP accept no lone surrogates nor, in stored texts, U+0000. */
export const wellFormed: Check<string> = (value) =>
  value.isWellFormed() && !value.includes('\0')
    ? null
    : { code: 'INVALID_FORMAT', message: 'must not hold U+0000 or lone surrogates' }

const bounded = (min: number, max: number) => ruled(z.string(), lengthWithin(min, max), wellFormed)
const numberWithin = (min: number, max: number) =>
  ruled(z.number(), (value) =>
    Number.isFinite(value) && value >= min && value <= max
      ? null
      : { code: 'OUT_OF_RANGE', message: `must be a number from ${min} to ${max}` },
  )

const made = <T>(
  type: InputFieldType,
  rule: z.ZodType<T>,
  description: string,
  more: Partial<InputField<T>> = {},
): InputField<T> => ({ type, list: false, required: false, description, rule, ...more })

/** GraphQL clients may send null for "nothing": in an input it equals an omitted field. */
export const orNull = <T>(rule: z.ZodType<T>): z.ZodType<T | null> => rule.nullish().transform((value) => value ?? null)
export const orDefault = <T>(rule: z.ZodType<T>, fallback: T): z.ZodType<T> =>
  rule.nullish().transform((value) => value ?? fallback)

/** The kinds of input fields. */
export const field = {
  /** A field with its own rule, which also defines the meaning of null and absence. */
  of: made,

  text: (description: string, { min = 1, max }: { min?: number; max: number }): InputField<string | null> =>
    made('String', orNull(bounded(min, max)), description),

  requiredText: (description: string, { min = 1, max }: { min?: number; max: number }): InputField<string> =>
    made('String', bounded(min, max), description, { required: true }),

  requiredId: (description: string): InputField<string> => made('ID', bounded(1, 500), description, { required: true }),

  texts: (
    description: string,
    { min = 0, max, longest }: { min?: number; max: number; longest: number },
  ): InputField<string[] | null> =>
    made('String', orNull(listOf(bounded(0, longest), min, max)), description, { list: true }),

  requiredIds: (description: string, { max }: { max: number }): InputField<string[]> =>
    made('ID', listOf(bounded(1, 500), 1, max), description, { list: true, required: true }),

  wholeNumber: (description: string, min: number, max: number): InputField<number | null> =>
    made('Int', orNull(ruled(z.number(), wholeNumberWithin(min, max))), `${description} From ${min} to ${max}.`),

  wholeNumberOr: (description: string, fallback: number, min: number, max: number): InputField<number> =>
    made(
      'Int',
      orDefault(ruled(z.number(), wholeNumberWithin(min, max)), fallback),
      `${description} From ${min} to ${max}.`,
      {
        defaultValue: fallback,
      },
    ),

  requiredWholeNumber: (description: string, min: number, max: number): InputField<number> =>
    made('Int', ruled(z.number(), wholeNumberWithin(min, max)), `${description} From ${min} to ${max}.`, {
      required: true,
    }),

  number: (description: string, min: number, max: number): InputField<number | null> =>
    made('Float', orNull(numberWithin(min, max)), `${description} From ${min} to ${max}.`),

  numberOr: (description: string, fallback: number, min: number, max: number): InputField<number> =>
    made('Float', orDefault(numberWithin(min, max), fallback), `${description} From ${min} to ${max}.`, {
      defaultValue: fallback,
    }),

  requiredNumber: (description: string, min: number, max: number): InputField<number> =>
    made('Float', numberWithin(min, max), `${description} From ${min} to ${max}.`, { required: true }),

  flagOr: (description: string, fallback: boolean): InputField<boolean> =>
    made('Boolean', orDefault(z.boolean(), fallback), description, { defaultValue: fallback }),

  json: (description: string, { maxBytes }: { maxBytes: number }): InputField<unknown> =>
    made(
      'JSON',
      ruled(z.unknown().nullish(), (value) => jsonProblem(value, maxBytes)).transform((value) => value ?? null),
      description,
    ),

  choice: <V extends string>(description: string, of: EnumDefinition<V>): InputField<V | null> =>
    made(of, orNull(oneOf(of)), description),

  choiceOr: <V extends string>(description: string, of: EnumDefinition<V>, fallback: NoInfer<V>): InputField<V> =>
    made(of, orDefault(oneOf(of), fallback), description, { defaultValue: fallback }),

  requiredChoice: <V extends string>(description: string, of: EnumDefinition<V>): InputField<V> =>
    made(of, oneOf(of), description, { required: true }),

  choices: <V extends string>(description: string, of: EnumDefinition<V>): InputField<V[]> =>
    made(of, orDefault(listOf(oneOf(of), 0, 20), []), description, { list: true }),

  object: <F extends InputFields>(description: string, of: InputDefinition<F>): InputField<FieldValues<F> | null> =>
    made(of, orNull(of.rule), description),

  objects: <F extends InputFields>(
    description: string,
    of: InputDefinition<F>,
    max: number,
  ): InputField<FieldValues<F>[]> => made(of, orDefault(listOf(of.rule, 0, max), []), description, { list: true }),

  requiredObject: <F extends InputFields>(description: string, of: InputDefinition<F>): InputField<FieldValues<F>> =>
    made(of, of.rule, description, { required: true }),
}

function oneOf<V extends string>(of: EnumDefinition<V>): z.ZodType<V> {
  return z.enum(Object.keys(of.values) as [V, ...V[]])
}

function listOf<T>(item: z.ZodType<T>, min: number, max: number): z.ZodType<T[]> {
  // The length first: a list that is too long is not iterated.
  const list = ruled(z.array(z.unknown()), (value) =>
    value.length < min
      ? { code: 'TOO_SHORT', message: min === 1 ? 'must not be empty' : `must have at least ${min} items` }
      : value.length > max
        ? { code: 'TOO_LONG', message: `must have at most ${max} items; it has ${value.length}` }
        : null,
  )
  return list.pipe(z.array(item))
}

/** An input whose fields may be combined freely, unless `check` says otherwise. */
export function defineInput<F extends InputFields>(
  inputName: string,
  description: string,
  fields: F,
  check?: Check<FieldValues<F>>,
): InputDefinition<F> {
  const shape = Object.fromEntries(Object.entries(fields).map(([name, { rule }]) => [name, rule]))
  const rule = z.strictObject(shape) as unknown as z.ZodType<FieldValues<F>>
  return { inputName, description, isOneOf: false, fields, rule: check ? ruled(rule, check) : rule }
}

/** An input with exactly one field given: a @oneOf type. */
export function defineOneOf<F extends InputFields>(
  inputName: string,
  description: string,
  fields: F,
): InputDefinition<F> {
  const { rule } = defineInput(inputName, description, fields, (value) =>
    Object.values(value).filter((member) => member !== null).length === 1
      ? null
      : { code: 'CONFLICT', message: `must have exactly one of ${Object.keys(fields).join(', ')}` },
  )
  return { inputName, description, isOneOf: true, fields, rule }
}

/** Maximum nesting of JSON from clients. */
const MAX_JSON_DEPTH = 64

function jsonProblem(value: unknown, maxBytes: number): { code: string; message: string } | null {
  if (value === undefined || value === null) return null
  if (isDeeperThan(MAX_JSON_DEPTH, value)) {
    return { code: 'TOO_LONG', message: `must nest at most ${MAX_JSON_DEPTH} levels deep` }
  }
  const text = JSON.stringify(value)
  const bytes = Buffer.byteLength(text)
  if (bytes > maxBytes) {
    return { code: 'TOO_LONG', message: `must take at most ${maxBytes} bytes as JSON; it takes ${bytes}` }
  }
  // JSON.stringify escapes a lone surrogate and U+0000.
  return /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/.test(text)
    ? { code: 'INVALID_FORMAT', message: 'must not hold U+0000 or lone surrogates' }
    : null
}
