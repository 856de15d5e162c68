import { hkdfSync } from 'node:crypto'
import { isIP } from 'node:net'
import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import type { z } from 'zod'
import { environment } from './environment.ts'
import type { CaptureOptions } from './ports/browser/capture.ts'
import type { EgressMode, HostRule } from './ports/egress/egress.ts'
import type { RedactionRules } from './ports/sessions/redaction.ts'

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

/** How NATS is reached. */
export interface NatsConfig {
  /** host:port */
  servers: readonly string[]
  user: string | null
  password: string | null
  token: string | null
  /** Absolute path of a file with a JWT and its seed, as NATS's own tools write it. */
  credentialsFile: string | null
  /** Null: as the server wants it. Else TLS or nothing; absolute paths, null where there is no file. */
  tls: { caFile: string | null; certFile: string | null; keyFile: string | null } | null
}

/** What several machines share that work as one. */
interface ClusterConfig {
  nats: NatsConfig
  /** Keys are derived from the first; those of all of them are accepted. */
  secrets: readonly string[]
  /** Authenticate machines to each other; the first for what is new. */
  machineKeys: readonly string[]
  /** Where other machines reach this one, without a path; null: http://<host>:<port>. */
  internalUrl: string | null
  /** How long sessions go on while the database cannot be reached, where others end them in it. */
  partitionSeconds: number
}

/** Longer than the failover of a database. */
const PARTITION_SECONDS = 60

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
  /** Null: this machine works alone. */
  cluster: ClusterConfig | null
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
  /** How long live sessions go on after SIGTERM; 0: they end at once. */
  drainSeconds: number
  maxSessions: number
  maxQueued: number
  warmBrowsers: number
  maxLogEntries: number
  /** 0 keeps for ever. */
  retentionDays: number
  artifacts: ArtifactsConfig
  /** The most that sessions record of bodies. */
  captureBodies: CaptureOptions['bodies']
  /** 0 keeps them as long as the log. */
  bodyRetentionDays: number
  /** What bodies are encrypted with, the first for new ones; null: nothing is. */
  bodyKeys: readonly string[] | null
  /** What is masked in the logs of all sessions. */
  redact: RedactionRules
  /** Bytes that the artifacts and stored bodies of one owner may take. */
  artifactQuotaBytes: number
  /** Secrets that sign links, the first for new ones; null: made once, kept in `<data dir>/signing-keys`. */
  signingKeys: readonly string[] | null
  /** What profiles are encrypted with, the first for new ones; null: made once, kept in `<data dir>/profile-key`. */
  profileKeys: readonly string[] | null
  /** Null: tasks are AI_NOT_CONFIGURED. */
  ai: AiConfig | null
  /** Null: API keys alone authenticate. */
  oidc: OidcConfig | null
  logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'
}

/** The names of the environment variables that are read. */
export const CONFIG_VARIABLES: readonly string[] = Object.keys(environment.shape)

/** Every problem of the environment at once, a line each. */
export class ConfigInvalid extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.name = 'ConfigInvalid'
    this.problems = problems
  }
}

/** What the settings must say together. */
function problemsTogether(value: z.output<typeof environment>): string[] {
  const problems: string[] = []
  const s3 = CONFIG_VARIABLES.filter(
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
  return [...problems, ...problemsOfCluster(value)]
}

/** A cluster that misses a part would lose what its machines do not share. */
function problemsOfCluster(value: z.output<typeof environment>): string[] {
  const problems: string[] = []
  if (value.NATS_URL) {
    if (!value.DATABASE_URL) {
      problems.push('DATABASE_URL must be set with NATS_URL: several machines share one PostgreSQL')
    }
    if (!value.TABWIRE_S3_BUCKET) {
      problems.push(
        'TABWIRE_S3_BUCKET must be set with NATS_URL: artifacts and bodies on the disk of one machine are out of reach of the others',
      )
    }
    if (!value.TABWIRE_CLUSTER_SECRET) {
      problems.push(
        'TABWIRE_CLUSTER_SECRET must be set with NATS_URL, to the same value on every machine: the keys of links, profiles and bodies are derived from it',
      )
    }
    if (!value.TABWIRE_INTERNAL_URL && isLoopback(value.HOST)) {
      problems.push(
        'TABWIRE_INTERNAL_URL must be set with NATS_URL while HOST is a loopback address: the other machines reach this one there',
      )
    }
  } else {
    const alone = CONFIG_VARIABLES.filter(
      (name) =>
        /^TABWIRE_(NATS|CLUSTER|PARTITION|INTERNAL)_/.test(name) && value[name as keyof typeof value] !== undefined,
    )
    problems.push(...alone.map((name) => `NATS_URL must be set with ${name}`))
  }
  if (!value.TABWIRE_NATS_CERT_FILE !== !value.TABWIRE_NATS_KEY_FILE) {
    problems.push('TABWIRE_NATS_CERT_FILE and TABWIRE_NATS_KEY_FILE must be set together')
  }
  if (value.TABWIRE_NATS_CREDENTIALS_FILE && (value.NATS_URL?.user ?? value.NATS_URL?.token ?? null) !== null) {
    problems.push('TABWIRE_NATS_CREDENTIALS_FILE cannot be set with credentials in NATS_URL')
  }
  return problems
}

function clusterOf(value: z.output<typeof environment>): ClusterConfig | null {
  if (!value.NATS_URL || !value.TABWIRE_CLUSTER_SECRET) return null
  const { isTls, ...servers } = value.NATS_URL
  const caFile = value.TABWIRE_NATS_CA_FILE ?? null
  const certFile = value.TABWIRE_NATS_CERT_FILE ?? null
  const keyFile = value.TABWIRE_NATS_KEY_FILE ?? null
  const tls = isTls || caFile !== null || certFile !== null ? { caFile, certFile, keyFile } : null
  const credentialsFile = value.TABWIRE_NATS_CREDENTIALS_FILE ?? null
  return {
    nats: { ...servers, credentialsFile, tls },
    secrets: value.TABWIRE_CLUSTER_SECRET,
    machineKeys: derivedKeys(value, 'machines')!,
    internalUrl: value.TABWIRE_INTERNAL_URL ? new URL(value.TABWIRE_INTERNAL_URL).origin : null,
    partitionSeconds: value.TABWIRE_PARTITION_SECONDS ?? PARTITION_SECONDS,
  }
}

type KeyPurpose = 'links' | 'profiles' | 'bodies' | 'machines'

/** The same on every machine of a cluster, one for each of its secrets. Null: there is no cluster. */
function derivedKeys(value: z.output<typeof environment>, purpose: KeyPurpose): string[] | null {
  const secrets = value.TABWIRE_CLUSTER_SECRET ?? null
  const derive = (secret: string) => hkdfSync('sha256', secret, '', `tabwire cluster ${purpose}`, 32)
  return secrets && secrets.map((secret) => Buffer.from(derive(secret)).toString('base64url'))
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

/**
 * Reads the configuration from environment variables. Pure: it opens nothing. An empty variable counts as unset, as
 * compose files write them. By hand over zod: every problem is told at once, in the words of the variables.
 */
export function loadConfig(env: Record<string, string | undefined>): Config {
  const given = Object.fromEntries(
    CONFIG_VARIABLES.flatMap((name) => {
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
        const shown = /KEY|URL|SECRET/.test(name) ? '' : ` (it is ${JSON.stringify(given[name])})`
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
    cluster: clusterOf(value),
    apiKey: value.TABWIRE_API_KEY ?? null,
    publicUrl: value.TABWIRE_PUBLIC_URL ?? null,
    trustedProxies: value.TABWIRE_TRUSTED_PROXIES,
    browserPath: value.TABWIRE_BROWSER_PATH ?? null,
    browserSandbox: value.TABWIRE_BROWSER_SANDBOX,
    egress: egressOf(value),
    drainSeconds: value.TABWIRE_DRAIN_SECONDS,
    maxSessions: value.TABWIRE_MAX_SESSIONS,
    maxQueued: value.TABWIRE_MAX_QUEUED,
    warmBrowsers: value.TABWIRE_WARM_BROWSERS,
    maxLogEntries: value.TABWIRE_MAX_LOG_ENTRIES,
    retentionDays: value.TABWIRE_RETENTION_DAYS,
    artifacts: artifactsOf(value),
    artifactQuotaBytes: value.TABWIRE_ARTIFACT_QUOTA_MB * 1024 * 1024,
    captureBodies: value.TABWIRE_CAPTURE_BODIES,
    bodyRetentionDays: value.TABWIRE_BODY_RETENTION_DAYS,
    bodyKeys: value.TABWIRE_BODY_KEY ?? derivedKeys(value, 'bodies'),
    redact: value.TABWIRE_REDACT,
    signingKeys: value.TABWIRE_SIGNING_KEYS ?? derivedKeys(value, 'links'),
    profileKeys: value.TABWIRE_PROFILE_KEY ? [value.TABWIRE_PROFILE_KEY] : derivedKeys(value, 'profiles'),
    ai: aiOf(value),
    oidc:
      value.TABWIRE_OIDC_ISSUER && value.TABWIRE_OIDC_AUDIENCE
        ? { issuer: value.TABWIRE_OIDC_ISSUER, audience: value.TABWIRE_OIDC_AUDIENCE }
        : null,
    logLevel: value.TABWIRE_LOG_LEVEL,
  }
}
