import { isIP } from 'node:net'
import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import proxyAddr from 'proxy-addr'
import { z } from 'zod'
import type { EgressMode, HostRule } from './ports/egress.ts'
import { readHostRule } from './egress/host-rule.ts'

export type DatabaseConfig = { kind: 'embedded' } | { kind: 'server'; url: string }

export type ArtifactsConfig =
  | { kind: 'disk' }
  | {
      kind: 's3'
      bucket: string
      /** Null: AWS itself, in the region. */
      endpoint: string | null
      region: string
      /** Null: as the AWS SDK finds them (environment, profile, role). */
      credentials: { accessKeyId: string; secretAccessKey: string } | null
      /** Before every key; empty or ending in /. */
      prefix: string
      /** The bucket in the path rather than in the host name, as MinIO and its like want it. */
      pathStyle: boolean
      /**
       * proxy: downloads go through the server. redirect: clients are sent to the bucket with a presigned URL, and the
       * dashboard has its previews from there: the one other host that it asks.
       */
      downloads: 'proxy' | 'redirect'
    }

/** USD for a million tokens. */
export interface ModelPrice {
  input: number
  output: number
}

export interface AiConfig {
  provider: 'openai' | 'openai-compatible' | 'anthropic'
  model: string
  apiKey: string | null
  /** Null: the vendor's own. */
  baseUrl: string | null
  /** By model; these come before those that are built in. */
  prices: Readonly<Record<string, ModelPrice>>
}

/** The identity provider whose tokens are accepted. */
export interface OidcConfig {
  /** Exactly as in the tokens' claim `iss`. */
  issuer: string
  /** What must be in their claim `aud`. */
  audience: string
}

export type SandboxMode = 'auto' | 'on' | 'off'

export interface Config {
  host: string
  /** 0 picks a free one. */
  port: number
  /** Absolute path. */
  dataDir: string
  /** Absolute path of an existing folder. */
  tempDir: string
  /** Bytes that the browsers of all sessions together may take there. */
  tempLimitBytes: number
  database: DatabaseConfig
  /** The first admin key; null: generated once and kept in `<data dir>/api-key`. */
  apiKey: string | null
  /** Origin (and path prefix) people and clients reach the server under; null: http://<host>:<port>. */
  publicUrl: string | null
  /** Proxies whose X-Forwarded-For is believed: addresses, CIDR ranges, loopback, linklocal, uniquelocal. */
  trustedProxies: readonly string[]
  /** Null: Playwright's own browser, else an installed one. */
  browserPath: string | null
  browserSandbox: SandboxMode
  /** What pages may reach at most, and hosts that are opened whatever the mode is. */
  egress: { mode: EgressMode; allow: readonly HostRule[] }
  maxSessions: number
  maxQueued: number
  warmBrowsers: number
  maxLogEntries: number
  /** 0 keeps for ever. */
  retentionDays: number
  artifacts: ArtifactsConfig
  /** Bytes that the artifacts of one owner may take. */
  artifactQuotaBytes: number
  /** Secrets that sign links, the first for new ones; null: made once, kept in `<data dir>/signing-keys`. */
  signingKeys: readonly string[] | null
  /** What profiles are encrypted with; null: made once, kept in `<data dir>/profile-key`. */
  profileKey: string | null
  /** Null: tasks are AI_NOT_CONFIGURED. */
  ai: AiConfig | null
  /** Null: API keys alone authenticate. */
  oidc: OidcConfig | null
  logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'
}

/** Every problem of the environment at once, a line each. */
export class ConfigInvalid extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.name = 'ConfigInvalid'
    this.problems = problems
  }
}

const wholeNumber = (from: number, to: number, fallback: number) =>
  z
    .string()
    .regex(/^\d+$/, `must be a whole number from ${from} to ${to}`)
    .transform(Number)
    .refine((value) => value >= from && value <= to, `must be a whole number from ${from} to ${to}`)
    .default(fallback)

const isUrlOf = (protocols: readonly string[]) => (value: string) =>
  URL.canParse(value) && protocols.includes(new URL(value).protocol)

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/

/** Keys that come over plain http could be anyone's, unless they come from this machine. */
function isIssuer(value: string): boolean {
  const url = URL.parse(value)
  if (!url || url.search !== '' || url.hash !== '' || url.username !== '') return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.test(url.hostname))
}
/** The path of a socket has room for about a hundred characters, and the rest of its name takes forty. */
const LONGEST_TEMP_DIR = 60

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/i

/** Whether proxy-addr takes it. A number alone would be an address to it (10 is 0.0.0.10). */
function isProxy(name: string): boolean {
  if (/^[^a-z]/.test(name) && isIP(name.split('/')[0]!) === 0) return false
  try {
    return proxyAddr.compile(name) !== null
  } catch {
    return false
  }
}

/** Of all hosts: each problem names the one that it is about. */
function readHostRules(text: string, context: z.RefinementCtx): HostRule[] {
  return text
    .split(/[\s,]+/)
    .filter((given) => given !== '')
    .map((given) => {
      const { rule, problem } = readHostRule(given)
      if (problem !== null)
        context.addIssue({ code: 'custom', message: `${problem}: ${JSON.stringify(given.slice(0, 100))} is not` })
      return rule ?? ''
    })
}

const prices = z.record(z.string(), z.strictObject({ input: z.number().min(0), output: z.number().min(0) }))

function readPrices(text: string, context: z.RefinementCtx): Record<string, ModelPrice> {
  try {
    return prices.parse(JSON.parse(text))
  } catch {
    const message = 'must be JSON such as {"some-model": {"input": 2.5, "output": 10}}: USD for a million tokens'
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  }
}

/** What the settings must say together. */
function problemsTogether(value: z.output<typeof environment>): string[] {
  const problems: string[] = []
  const s3 = Object.keys(environment.shape).filter(
    (name) => name.startsWith('TABWIRE_S3_') && !/REGION|PREFIX|DOWNLOADS/.test(name),
  ) as (keyof typeof value)[]
  if (!value.TABWIRE_S3_BUCKET && s3.some((name) => value[name] !== undefined)) {
    problems.push('TABWIRE_S3_BUCKET must be set where other TABWIRE_S3_ variables are')
  }
  if (!value.TABWIRE_S3_ACCESS_KEY_ID !== !value.TABWIRE_S3_SECRET_ACCESS_KEY) {
    problems.push('TABWIRE_S3_ACCESS_KEY_ID and TABWIRE_S3_SECRET_ACCESS_KEY must be set together')
  }
  const provider = value.TABWIRE_AI_PROVIDER
  if (!provider && (value.TABWIRE_AI_MODEL || value.TABWIRE_AI_API_KEY || value.TABWIRE_AI_BASE_URL)) {
    problems.push('TABWIRE_AI_PROVIDER must be set where other TABWIRE_AI_ variables are')
  }
  if (provider && !value.TABWIRE_AI_MODEL) problems.push('TABWIRE_AI_MODEL must be set with TABWIRE_AI_PROVIDER')
  if ((provider === 'openai' || provider === 'anthropic') && !value.TABWIRE_AI_API_KEY) {
    problems.push(`TABWIRE_AI_API_KEY must be set with TABWIRE_AI_PROVIDER=${provider}`)
  }
  if (provider === 'openai-compatible' && !value.TABWIRE_AI_BASE_URL) {
    problems.push('TABWIRE_AI_BASE_URL must be set with TABWIRE_AI_PROVIDER=openai-compatible')
  }
  if (!value.TABWIRE_OIDC_ISSUER !== !value.TABWIRE_OIDC_AUDIENCE) {
    problems.push('TABWIRE_OIDC_ISSUER and TABWIRE_OIDC_AUDIENCE must be set together')
  }
  return problems
}

function artifactsOf(value: z.output<typeof environment>): ArtifactsConfig {
  const bucket = value.TABWIRE_S3_BUCKET
  if (!bucket) return { kind: 'disk' }
  const accessKeyId = value.TABWIRE_S3_ACCESS_KEY_ID
  const secretAccessKey = value.TABWIRE_S3_SECRET_ACCESS_KEY
  const endpoint = value.TABWIRE_S3_ENDPOINT ?? null
  const pathStyle = value.TABWIRE_S3_FORCE_PATH_STYLE
  return {
    kind: 's3',
    bucket,
    endpoint,
    region: value.TABWIRE_S3_REGION,
    credentials: accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : null,
    prefix: value.TABWIRE_S3_PREFIX,
    // Servers other than AWS seldom have a name for each bucket.
    pathStyle: pathStyle ? pathStyle === 'true' : endpoint !== null,
    downloads: value.TABWIRE_S3_DOWNLOADS,
  }
}

/** Whether only this machine reaches a server that listens there. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

/** Where others can start sessions, pages must not be a way into the server's network unless someone wants that. */
function egressOf(value: z.output<typeof environment>): Config['egress'] {
  const mode = value.TABWIRE_EGRESS ?? (isLoopback(value.HOST) ? 'open' : 'public')
  return { mode: mode.toUpperCase() as EgressMode, allow: value.TABWIRE_EGRESS_ALLOW }
}

function aiOf(value: z.output<typeof environment>): AiConfig | null {
  const { TABWIRE_AI_PROVIDER: provider, TABWIRE_AI_MODEL: model } = value
  if (!provider || !model) return null
  return {
    provider,
    model,
    apiKey: value.TABWIRE_AI_API_KEY ?? null,
    baseUrl: value.TABWIRE_AI_BASE_URL ?? null,
    prices: value.TABWIRE_AI_PRICES ?? {},
  }
}

/** The environment variables; their meanings are listed in docs/configuration.md. */
const environment = z.object({
  HOST: z
    .string()
    .refine((value) => isIP(value) !== 0 || HOST_NAME.test(value), 'must be an IP address or a host name')
    .default('127.0.0.1'),
  PORT: wholeNumber(0, 65_535, 4000),
  TABWIRE_DATA_DIR: z.string().default('./.tabwire'),
  TABWIRE_TEMP_DIR: z
    .string()
    .transform((value) => resolve(value))
    .refine(
      (value) => value.length <= LONGEST_TEMP_DIR,
      `must have at most ${LONGEST_TEMP_DIR} characters as a full path, for sockets are made below it`,
    )
    .optional(),
  TABWIRE_TEMP_LIMIT_MB: wholeNumber(64, 1_000_000_000, 8_192),
  DATABASE_URL: z
    .string()
    .refine(isUrlOf(['postgres:', 'postgresql:']), 'must be a postgres:// URL')
    .optional(),
  TABWIRE_API_KEY: z
    .string()
    .regex(/^[\x21-\x7e]{16,256}$/, 'must be 16 to 256 printable ASCII characters without spaces')
    .optional(),
  TABWIRE_PUBLIC_URL: z
    .string()
    .refine(isUrlOf(['http:', 'https:']), 'must be an http:// or https:// URL')
    .transform((value) => value.replace(/\/+$/, ''))
    .optional(),
  TABWIRE_TRUSTED_PROXIES: z
    .string()
    .transform((value) => value.split(/[\s,]+/).filter((name) => name !== ''))
    .refine(
      (names) => names.every(isProxy),
      'must be IP addresses, CIDR ranges, loopback, linklocal or uniquelocal, with commas between',
    )
    .default([]),
  TABWIRE_BROWSER_PATH: z.string().optional(),
  TABWIRE_BROWSER_SANDBOX: z.enum(['auto', 'on', 'off'], 'must be auto, on or off').default('auto'),
  TABWIRE_EGRESS: z.enum(['open', 'public', 'none'], 'must be open, public or none').optional(),
  TABWIRE_EGRESS_ALLOW: z.string().transform(readHostRules).default([]),
  TABWIRE_MAX_SESSIONS: wholeNumber(1, 1000, 20),
  TABWIRE_MAX_QUEUED: wholeNumber(0, 100_000, 100),
  TABWIRE_WARM_BROWSERS: wholeNumber(0, 100, 2),
  TABWIRE_MAX_LOG_ENTRIES: wholeNumber(100, 100_000_000, 1_000_000),
  TABWIRE_RETENTION_DAYS: wholeNumber(0, 36_500, 30),
  TABWIRE_ARTIFACT_QUOTA_MB: wholeNumber(1, 1_000_000_000, 10_240),
  TABWIRE_SIGNING_KEYS: z
    .string()
    .regex(
      /^[\x21-\x2b\x2d-\x7e]{32,256}(,[\x21-\x2b\x2d-\x7e]{32,256})*$/,
      'must be secrets of 32 to 256 printable ASCII characters, with commas between',
    )
    .transform((value) => value.split(','))
    .optional(),
  TABWIRE_PROFILE_KEY: z
    .string()
    .regex(/^[\x21-\x7e]{32,256}$/, 'must be 32 to 256 printable ASCII characters without spaces')
    .optional(),
  TABWIRE_S3_BUCKET: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be the name of a bucket')
    .optional(),
  TABWIRE_S3_ENDPOINT: z
    .string()
    .refine(isUrlOf(['http:', 'https:']), 'must be an http:// or https:// URL')
    .optional(),
  TABWIRE_S3_REGION: z.string().default('us-east-1'),
  TABWIRE_S3_ACCESS_KEY_ID: z.string().optional(),
  TABWIRE_S3_SECRET_ACCESS_KEY: z.string().optional(),
  TABWIRE_S3_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9!_.*'()/-]{1,500}$/, 'must be part of an S3 key')
    .transform((value) => (value.endsWith('/') ? value : `${value}/`))
    .default(''),
  TABWIRE_S3_FORCE_PATH_STYLE: z.enum(['true', 'false'], 'must be true or false').optional(),
  TABWIRE_S3_DOWNLOADS: z.enum(['proxy', 'redirect'], 'must be proxy or redirect').default('proxy'),
  TABWIRE_AI_PROVIDER: z
    .enum(['openai', 'openai-compatible', 'anthropic'], 'must be openai, openai-compatible or anthropic')
    .optional(),
  TABWIRE_AI_MODEL: z.string().max(200).optional(),
  TABWIRE_AI_API_KEY: z.string().optional(),
  TABWIRE_AI_BASE_URL: z
    .string()
    .refine(isUrlOf(['http:', 'https:']), 'must be an http:// or https:// URL')
    .optional(),
  TABWIRE_AI_PRICES: z.string().transform(readPrices).optional(),
  TABWIRE_OIDC_ISSUER: z
    .string()
    .refine(isIssuer, 'must be an https:// URL without query and fragment (http:// on a loopback address)')
    .optional(),
  TABWIRE_OIDC_AUDIENCE: z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 printable ASCII characters without spaces')
    .optional(),
  TABWIRE_LOG_LEVEL: z
    .enum(
      ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
      'must be fatal, error, warn, info, debug, trace or silent',
    )
    .default('info'),
})

/**
 * Reads the configuration from environment variables. Pure: it opens nothing. An empty variable counts as unset, as
 * compose files write them. By hand over zod: every problem is told at once, in the words of the variables.
 */
export function loadConfig(env: Record<string, string | undefined>): Config {
  const given = Object.fromEntries(
    Object.keys(environment.shape).flatMap((name) => {
      const value = env[name]?.trim()
      return value ? [[name, value]] : []
    }),
  )
  const parsed = environment.safeParse(given)
  if (!parsed.success) {
    throw new ConfigInvalid(
      parsed.error.issues.map((issue) => {
        const name = issue.path.join('.')
        // A key is never echoed; nor is a database URL, whose password it would show.
        const shown = /KEY|URL/.test(name) ? '' : ` (it is ${JSON.stringify(given[name])})`
        return `${name} ${issue.message}${shown}`
      }),
    )
  }
  const value = parsed.data
  const problems = problemsTogether(value)
  if (problems.length > 0) throw new ConfigInvalid(problems)
  return {
    host: value.HOST,
    port: value.PORT,
    dataDir: resolve(value.TABWIRE_DATA_DIR),
    tempDir: value.TABWIRE_TEMP_DIR ?? tmpdir(),
    tempLimitBytes: value.TABWIRE_TEMP_LIMIT_MB * 1024 * 1024,
    database: value.DATABASE_URL ? { kind: 'server', url: value.DATABASE_URL } : { kind: 'embedded' },
    apiKey: value.TABWIRE_API_KEY ?? null,
    publicUrl: value.TABWIRE_PUBLIC_URL ?? null,
    trustedProxies: value.TABWIRE_TRUSTED_PROXIES,
    browserPath: value.TABWIRE_BROWSER_PATH ?? null,
    browserSandbox: value.TABWIRE_BROWSER_SANDBOX,
    egress: egressOf(value),
    maxSessions: value.TABWIRE_MAX_SESSIONS,
    maxQueued: value.TABWIRE_MAX_QUEUED,
    warmBrowsers: value.TABWIRE_WARM_BROWSERS,
    maxLogEntries: value.TABWIRE_MAX_LOG_ENTRIES,
    retentionDays: value.TABWIRE_RETENTION_DAYS,
    artifacts: artifactsOf(value),
    artifactQuotaBytes: value.TABWIRE_ARTIFACT_QUOTA_MB * 1024 * 1024,
    signingKeys: value.TABWIRE_SIGNING_KEYS ?? null,
    profileKey: value.TABWIRE_PROFILE_KEY ?? null,
    ai: aiOf(value),
    oidc:
      value.TABWIRE_OIDC_ISSUER && value.TABWIRE_OIDC_AUDIENCE
        ? { issuer: value.TABWIRE_OIDC_ISSUER, audience: value.TABWIRE_OIDC_AUDIENCE }
        : null,
    logLevel: value.TABWIRE_LOG_LEVEL,
  }
}
