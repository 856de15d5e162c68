import { z } from 'zod'
import {
  defineInput,
  field,
  orNull,
  ruled,
  type Check,
  type EnumDefinition,
  type FieldValues,
} from '../../contract/input/input-field.ts'
import { SCOPES, type Scope } from '../../ports/access/scope.ts'
import { BadUserInput } from '../kernel/errors.ts'
import { inputIssues } from '../kernel/input-issues.ts'

/** Input for a new API key, not validated yet. */
export interface CreateApiKeyInput {
  name: string
  /** Null: the caller's own. */
  owner?: string | null
  scopes: readonly Scope[]
  expiresAt?: Date | null
}

export const SCOPE: EnumDefinition<Scope> = {
  enumName: 'Scope',
  description: 'Scope of an API key. Scopes are independent.',
  values: {
    READ: 'Queries, subscriptions, and results of mutations.',
    WRITE:
      'Mutations: starting, changing, driving and ending sessions. Alone it shows of a result no more than its id, status and times, and what the caller has just given.',
    CONNECT:
      'Connecting a Playwright or Puppeteer client to a session, which may then read and do whatever its browser can.',
    KEYS: 'Listing, creating and revoking API keys of the same owner, none of them with a scope that the key lacks.',
    ADMIN:
      'The servers of the installation. With KEYS: listing, creating and revoking API keys of every owner, and revoking keys with scopes that the key lacks.',
  },
}

/** The rules in words, in one place, for the schema's descriptions. */
export const API_KEY_INPUT_RULES = {
  name: '1 to 100 characters, none of them a control character.',
  owner: '1 to 100 letters, digits and . _ @ + - characters.',
  scopes: 'At least one.',
  expiresAt: 'In the future, and not later than the caller’s own key expires.',
} as const

const LATEST_TIME_MS = Date.UTC(9999, 11, 31)

const isName: Check<string> = (name) =>
  name.length === 0 || name.length > 100 || /\p{Cc}/u.test(name) || !name.isWellFormed()
    ? { code: 'INVALID_FORMAT', message: 'must have 1 to 100 characters, none of them a control character' }
    : null

const isOwner: Check<string> = (owner) =>
  /^[\w.@+-]{1,100}$/.test(owner)
    ? null
    : { code: 'INVALID_FORMAT', message: 'must have 1 to 100 letters, digits and . _ @ + - characters' }

const isSome: Check<readonly Scope[]> = (scopes) =>
  scopes.length > 0 ? null : { code: 'REQUIRED', message: 'must name at least one scope' }

const isFuture: Check<Date> = (time) =>
  time.getTime() > Date.now() && time.getTime() <= LATEST_TIME_MS
    ? null
    : { code: 'OUT_OF_RANGE', message: 'must be in the future, and in the years until 9999' }

export const CREATE_API_KEY_INPUT = defineInput(
  'CreateApiKeyInput',
  'A new API key. Rules that are broken are reported all together, as BAD_USER_INPUT.',
  {
    name: field.of('String', ruled(z.string(), isName), `Display name. ${API_KEY_INPUT_RULES.name}`, {
      required: true,
    }),
    owner: field.of(
      'String',
      orNull(ruled(z.string(), isOwner)),
      `Owner of the key. ${API_KEY_INPUT_RULES.owner} Absent or null: the caller’s own owner; another needs the scope ADMIN.`,
    ),
    scopes: field.of(
      SCOPE,
      ruled(z.array(z.enum(SCOPES)), isSome),
      `Scopes of the key. ${API_KEY_INPUT_RULES.scopes} None that the caller’s own key lacks.`,
      { list: true, required: true },
    ),
    expiresAt: field.of(
      'DateTime',
      orNull(ruled(z.date(), isFuture)),
      `Expiration time. ${API_KEY_INPUT_RULES.expiresAt} Absent or null: when the caller’s own key expires; never if that does not.`,
    ),
  },
)

type ApiKeyOptions = FieldValues<typeof CREATE_API_KEY_INPUT.fields>

/** The options of a new key; `latest`: its latest expiration. Throws BadUserInput with every broken rule. */
export function parseCreateApiKey(input: CreateApiKeyInput, latest: number | null): ApiKeyOptions {
  const parsed = CREATE_API_KEY_INPUT.rule.safeParse(input)
  const issues = parsed.error ? inputIssues(parsed.error, ['input']) : []
  const { expiresAt } = input
  const isReported = issues.some(({ path }) => path[1] === 'expiresAt')
  if (!isReported && expiresAt != null && latest !== null && expiresAt.getTime() > latest) {
    const message = `must not be later than ${new Date(latest).toISOString()}, when the key that creates it expires`
    issues.push({ path: ['input', 'expiresAt'], code: 'OUT_OF_RANGE', message })
  }
  if (!parsed.success || issues.length > 0) throw new BadUserInput(issues)
  return parsed.data
}
