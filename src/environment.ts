import { isIP } from 'node:net'
import { resolve } from 'node:path'
import proxyAddr from 'proxy-addr'
import { z } from 'zod'
import { isRe2 } from './contract/input/re2.ts'
import { readHostRule } from './egress/host-rule.ts'
import type { HostRule } from './ports/egress/egress.ts'
import { DEFAULT_REDACTION, REDACTION_LIMITS, type RedactionRules } from './ports/sessions/redaction.ts'

const anyWholeNumber = (from: number, to: number) =>
  z
    .string()
    .regex(/^\d+$/, `must be a whole number from ${from} to ${to}`)
    .transform(Number)
    .refine((value) => value >= from && value <= to, `must be a whole number from ${from} to ${to}`)

const wholeNumber = (from: number, to: number, fallback: number) => anyWholeNumber(from, to).default(fallback)

const isUrlOf = (protocols: readonly string[]) => (value: string) =>
  URL.canParse(value) && protocols.includes(new URL(value).protocol)

const isWebUrl = isUrlOf(['http:', 'https:'])

/** Of a machine, for the others. */
function isInternalUrl(value: string): boolean {
  const url = URL.parse(value)
  return url !== null && isWebUrl(value) && url.pathname === '/' && url.search + url.hash + url.username === ''
}

const webUrl = z.string().refine(isWebUrl, 'must be an http:// or https:// URL')

/** The first one is used for what is new, the others are still accepted. */
const secrets = z
  .string()
  .regex(
    /^[\x21-\x2b\x2d-\x7e]{32,256}(,[\x21-\x2b\x2d-\x7e]{32,256})*$/,
    'must be secrets of 32 to 256 printable ASCII characters, with commas between',
  )
  .transform((value) => value.split(','))

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/

/** Keys fetched over plain HTTP could be forged, unless they come from this machine. */
function isIssuer(value: string): boolean {
  const url = URL.parse(value)
  if (!url || url.search !== '' || url.hash !== '' || url.username !== '') return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.test(url.hostname))
}

/** A socket's path has a limit of about a hundred characters; the rest of the name takes forty. */
const LONGEST_TEMP_DIR = 60

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/i

/** Whether proxy-addr accepts it. It would read a plain number as an address (10 is 0.0.0.10). */
function isProxy(name: string): boolean {
  if (/^[^a-z]/.test(name) && isIP(name.split('/')[0]!) === 0) return false
  try {
    return proxyAddr.compile(name) !== null
  } catch {
    return false
  }
}

/** For all hosts: each problem names its host. */
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

/** As NATS itself writes them; a user without a password is a token. */
function readNatsUrls(text: string, context: z.RefinementCtx): NatsServers {
  const urls = text.split(',').map((url) => URL.parse(url.trim()))
  const isServer = (url: URL | null): url is URL =>
    url !== null &&
    ['nats:', 'tls:'].includes(url.protocol) &&
    url.hostname !== '' &&
    ['', '/'].includes(url.pathname) &&
    url.search + url.hash === '' &&
    decoded(url.username) !== null &&
    decoded(url.password) !== null
  const first = urls[0]
  if (!urls.every(isServer) || !first) {
    context.addIssue({ code: 'custom', message: 'must be nats:// or tls:// URLs, with commas between' })
    return z.NEVER
  }
  const isLike = (one: URL, member: 'protocol' | 'username' | 'password') => one[member] === first[member]
  if (!urls.every((url) => isLike(url, 'protocol') && isLike(url, 'username') && isLike(url, 'password'))) {
    context.addIssue({ code: 'custom', message: 'must have the same protocol and credentials in each of its URLs' })
    return z.NEVER
  }
  const name = decoded(first.username) || null
  const password = decoded(first.password) || null
  return {
    servers: urls.map(({ hostname, port }) => `${hostname}:${port || NATS_PORT}`),
    user: password === null ? null : name,
    password,
    token: password === null ? name : null,
    isTls: first.protocol === 'tls:',
  }
}

/** Null: it cannot be decoded. */
function decoded(component: string): string | null {
  try {
    return decodeURIComponent(component)
  } catch {
    return null
  }
}

const NATS_PORT = 4222

interface NatsServers {
  servers: string[]
  user: string | null
  password: string | null
  token: string | null
  isTls: boolean
}

const prices = z.record(z.string(), z.strictObject({ input: z.number().min(0), output: z.number().min(0) }))

function readPrices(text: string, context: z.RefinementCtx): z.output<typeof prices> {
  const parsed = prices.safeParse(jsonOf(text))
  if (parsed.success) return parsed.data
  const message = 'must be JSON such as {"some-model": {"input": 2.5, "output": 10}}: USD for a million tokens'
  context.addIssue({ code: 'custom', message })
  return z.NEVER
}

const { names: maxNames, nameLength, patterns: maxPatterns, patternLength } = REDACTION_LIMITS
const nameList = z.array(z.string().min(1).max(nameLength)).max(maxNames).default([])
const redaction = z.strictObject({
  headers: nameList,
  jsonKeys: nameList,
  urlParameters: nameList,
  patterns: z.array(z.string().min(1).max(patternLength)).max(maxPatterns).default([]),
})

/** No message quotes a pattern: it may contain a secret. */
function readRedaction(text: string, context: z.RefinementCtx): RedactionRules {
  const parsed = redaction.safeParse(jsonOf(text))
  if (parsed.success && parsed.data.patterns.every(isRe2)) return parsed.data
  const message = parsed.success
    ? 'must have patterns in the syntax of RE2'
    : `must be JSON such as {"headers": ["x-api-key"], "jsonKeys": ["token"], "urlParameters": ["token"], "patterns": ["sk-[a-z]+"]}, with at most ${maxNames} names each and ${maxPatterns} patterns`
  context.addIssue({ code: 'custom', message })
  return z.NEVER
}

const file = z.string().transform((value) => resolve(value))

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** The environment variables and the rule of each; their meanings are listed in docs/configuration.md. */
export const environment = z.object({
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
  NATS_URL: z.string().transform(readNatsUrls).optional(),
  TABWIRE_NATS_CREDENTIALS_FILE: file.optional(),
  TABWIRE_NATS_CA_FILE: file.optional(),
  TABWIRE_NATS_CERT_FILE: file.optional(),
  TABWIRE_NATS_KEY_FILE: file.optional(),
  TABWIRE_CLUSTER_SECRET: secrets.optional(),
  TABWIRE_INTERNAL_URL: z
    .string()
    .refine(isInternalUrl, 'must be an http:// or https:// URL without path and query')
    .optional(),
  TABWIRE_PARTITION_SECONDS: anyWholeNumber(30, 86_400).optional(),
  TABWIRE_API_KEY: z
    .string()
    .regex(/^[\x21-\x7e]{16,256}$/, 'must be 16 to 256 printable ASCII characters without spaces')
    .optional(),
  TABWIRE_PUBLIC_URL: webUrl.transform((value) => value.replace(/\/+$/, '')).optional(),
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
  TABWIRE_DRAIN_SECONDS: wholeNumber(0, 86_400, 0),
  TABWIRE_MAX_SESSIONS: wholeNumber(1, 1000, 20),
  TABWIRE_MAX_QUEUED: wholeNumber(0, 100_000, 100),
  TABWIRE_WARM_BROWSERS: wholeNumber(0, 100, 2),
  TABWIRE_MAX_LOG_ENTRIES: wholeNumber(100, 100_000_000, 1_000_000),
  TABWIRE_RETENTION_DAYS: wholeNumber(0, 36_500, 30),
  TABWIRE_ARTIFACT_QUOTA_MB: wholeNumber(1, 1_000_000_000, 10_240),
  TABWIRE_SIGNING_KEYS: secrets.optional(),
  TABWIRE_CAPTURE_BODIES: z
    .string()
    .transform((value) => value.toUpperCase())
    .pipe(z.enum(['NONE', 'TEXT', 'ALL'], 'must be NONE, TEXT or ALL'))
    .default('ALL'),
  TABWIRE_BODY_RETENTION_DAYS: wholeNumber(0, 36_500, 0),
  TABWIRE_BODY_KEY: secrets.optional(),
  TABWIRE_REDACT: z.string().transform(readRedaction).default(DEFAULT_REDACTION),
  TABWIRE_PROFILE_KEY: z
    .string()
    .regex(/^[\x21-\x7e]{32,256}$/, 'must be 32 to 256 printable ASCII characters without spaces')
    .optional(),
  TABWIRE_S3_BUCKET: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be the name of a bucket')
    .optional(),
  TABWIRE_S3_ENDPOINT: webUrl.optional(),
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
  TABWIRE_AI_BASE_URL: webUrl.optional(),
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
