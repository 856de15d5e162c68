import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { z } from 'zod'

export type DatabaseConfig = { kind: 'embedded' } | { kind: 'server'; url: string }

export type SandboxMode = 'auto' | 'on' | 'off'

export interface Config {
  host: string
  /** 0 picks a free one. */
  port: number
  /** Absolute path. */
  dataDir: string
  database: DatabaseConfig
  /** The first admin key; null: generated once and kept in `<data dir>/api-key`. */
  apiKey: string | null
  /** Origin (and path prefix) people and clients reach the server under; null: http://<host>:<port>. */
  publicUrl: string | null
  /** Null: Playwright's own browser, else an installed one. */
  browserPath: string | null
  browserSandbox: SandboxMode
  maxSessions: number
  maxQueued: number
  warmBrowsers: number
  maxLogEntries: number
  /** 0 keeps for ever. */
  retentionDays: number
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

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/i

/** The environment variables; their meanings are listed in the README. */
const environment = z.object({
  HOST: z
    .string()
    .refine((value) => isIP(value) !== 0 || HOST_NAME.test(value), 'must be an IP address or a host name')
    .default('127.0.0.1'),
  PORT: wholeNumber(0, 65_535, 4000),
  TABWIRE_DATA_DIR: z.string().default('./.tabwire'),
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
  TABWIRE_BROWSER_PATH: z.string().optional(),
  TABWIRE_BROWSER_SANDBOX: z.enum(['auto', 'on', 'off'], 'must be auto, on or off').default('auto'),
  TABWIRE_MAX_SESSIONS: wholeNumber(1, 1000, 20),
  TABWIRE_MAX_QUEUED: wholeNumber(0, 100_000, 100),
  TABWIRE_WARM_BROWSERS: wholeNumber(0, 100, 2),
  TABWIRE_MAX_LOG_ENTRIES: wholeNumber(100, 100_000_000, 1_000_000),
  TABWIRE_RETENTION_DAYS: wholeNumber(0, 36_500, 30),
  TABWIRE_LOG_LEVEL: z
    .enum(
      ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
      'must be fatal, error, warn, info, debug, trace or silent',
    )
    .default('info'),
})

/**
 * Reads the configuration from environment variables. Pure: it opens nothing. An empty variable counts as unset, as
 * compose files write them.
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
  return {
    host: value.HOST,
    port: value.PORT,
    dataDir: resolve(value.TABWIRE_DATA_DIR),
    database: value.DATABASE_URL ? { kind: 'server', url: value.DATABASE_URL } : { kind: 'embedded' },
    apiKey: value.TABWIRE_API_KEY ?? null,
    publicUrl: value.TABWIRE_PUBLIC_URL ?? null,
    browserPath: value.TABWIRE_BROWSER_PATH ?? null,
    browserSandbox: value.TABWIRE_BROWSER_SANDBOX,
    maxSessions: value.TABWIRE_MAX_SESSIONS,
    maxQueued: value.TABWIRE_MAX_QUEUED,
    warmBrowsers: value.TABWIRE_WARM_BROWSERS,
    maxLogEntries: value.TABWIRE_MAX_LOG_ENTRIES,
    retentionDays: value.TABWIRE_RETENTION_DAYS,
    logLevel: value.TABWIRE_LOG_LEVEL,
  }
}
