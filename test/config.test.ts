import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { describe, expect, test } from 'vitest'
import { serve } from '../src/commands/serve.ts'
import { CONFIG_VARIABLES, ConfigInvalid, loadConfig, type Config } from '../src/config.ts'
import { environment } from '../src/environment.ts'
import { ACCEPTED_CLUSTERS, REFUSED_CLUSTERS } from './support/cluster-environments.ts'

const DEFAULTS: Config = {
  host: '127.0.0.1',
  port: 4000,
  dataDir: resolve('.tabwire'),
  tempDir: tmpdir(),
  tempLimitBytes: 8_192 * 1024 * 1024,
  database: { kind: 'embedded' },
  cluster: null,
  apiKey: null,
  publicUrl: null,
  trustedProxies: [],
  browserPath: null,
  browserSandbox: 'auto',
  egress: { mode: 'OPEN', allow: [] },
  drainSeconds: 0,
  maxSessions: 20,
  maxQueued: 100,
  warmBrowsers: 2,
  maxLogEntries: 1_000_000,
  retentionDays: 30,
  artifacts: { kind: 'disk' },
  artifactQuotaBytes: 10_240 * 1024 * 1024,
  captureBodies: 'ALL',
  bodyRetentionDays: 0,
  bodyKeys: null,
  redact: {
    headers: ['authorization', 'proxy-authorization'],
    jsonKeys: ['password', 'client_secret', 'access_token', 'refresh_token', 'id_token'],
    urlParameters: ['password', 'client_secret', 'access_token', 'refresh_token', 'id_token'],
    patterns: [],
  },
  signingKeys: null,
  profileKeys: null,
  ai: null,
  oidc: null,
  logLevel: 'info',
}

const SECRET = 'a-secret-of-at-least-32-characters'
const S3: Config['artifacts'] = {
  kind: 's3',
  bucket: 'tabwire',
  endpoint: null,
  region: 'us-east-1',
  credentials: null,
  prefix: '',
  pathStyle: false,
  downloads: 'proxy',
}

test('an empty environment gives the documented defaults', () => {
  expect(loadConfig({})).toEqual(DEFAULTS)
})

describe('accepts', () => {
  const accepted: [Record<string, string>, Partial<Config>][] = [
    [{ HOST: '0.0.0.0' }, { host: '0.0.0.0', egress: { mode: 'PUBLIC', allow: [] } }],
    [{ HOST: '::' }, { host: '::', egress: { mode: 'PUBLIC', allow: [] } }],
    [{ HOST: '::1' }, { host: '::1' }],
    [{ HOST: '127.8.8.8' }, { host: '127.8.8.8' }],
    [{ HOST: 'localhost' }, { host: 'localhost' }],
    [{ HOST: 'box-1.example.org' }, { host: 'box-1.example.org', egress: { mode: 'PUBLIC', allow: [] } }],
    [
      { HOST: '192.0.2.1', TABWIRE_EGRESS: 'open' },
      { host: '192.0.2.1', egress: { mode: 'OPEN', allow: [] } },
    ],
    [{ TABWIRE_EGRESS: 'public' }, { egress: { mode: 'PUBLIC', allow: [] } }],
    [
      { TABWIRE_EGRESS: 'none', TABWIRE_EGRESS_ALLOW: '*.Example.org, 10.0.0.0/8 [::1]:8080,shop.test:443' },
      { egress: { mode: 'NONE', allow: ['*.example.org', '10.0.0.0/8', '[::1]:8080', 'shop.test:443'] } },
    ],
    [{ PORT: '0' }, { port: 0 }],
    [{ PORT: '65535' }, { port: 65_535 }],
    [{ TABWIRE_DATA_DIR: 'some/where' }, { dataDir: resolve('some/where') }],
    [{ TABWIRE_DATA_DIR: '/var/lib/tabwire' }, { dataDir: '/var/lib/tabwire' }],
    [{ TABWIRE_TEMP_DIR: '/var/tmp/' }, { tempDir: '/var/tmp' }],
    [{ TABWIRE_TEMP_LIMIT_MB: '64' }, { tempLimitBytes: 64 * 1024 * 1024 }],
    [
      { DATABASE_URL: 'postgres://me:pw@db:5432/tabwire' },
      { database: { kind: 'server', url: 'postgres://me:pw@db:5432/tabwire' } },
    ],
    [
      { DATABASE_URL: 'postgresql:///tabwire?host=/run/postgresql' },
      { database: { kind: 'server', url: 'postgresql:///tabwire?host=/run/postgresql' } },
    ],
    [{ TABWIRE_API_KEY: 'a-key-of-16-chars' }, { apiKey: 'a-key-of-16-chars' }],
    [{ TABWIRE_PUBLIC_URL: 'https://tabs.example.org/wire//' }, { publicUrl: 'https://tabs.example.org/wire' }],
    [
      { TABWIRE_TRUSTED_PROXIES: 'loopback, 10.0.0.0/8,192.0.2.1 2001:db8::/32' },
      { trustedProxies: ['loopback', '10.0.0.0/8', '192.0.2.1', '2001:db8::/32'] },
    ],
    [{ TABWIRE_BROWSER_PATH: '/opt/chrome' }, { browserPath: '/opt/chrome' }],
    [{ TABWIRE_BROWSER_SANDBOX: 'on' }, { browserSandbox: 'on' }],
    [{ TABWIRE_BROWSER_SANDBOX: 'off' }, { browserSandbox: 'off' }],
    [{ TABWIRE_DRAIN_SECONDS: '600' }, { drainSeconds: 600 }],
    [{ TABWIRE_MAX_SESSIONS: '1' }, { maxSessions: 1 }],
    [{ TABWIRE_MAX_QUEUED: '0' }, { maxQueued: 0 }],
    [{ TABWIRE_WARM_BROWSERS: '0' }, { warmBrowsers: 0 }],
    [{ TABWIRE_MAX_LOG_ENTRIES: '100' }, { maxLogEntries: 100 }],
    [{ TABWIRE_RETENTION_DAYS: '0' }, { retentionDays: 0 }],
    [{ TABWIRE_LOG_LEVEL: 'silent' }, { logLevel: 'silent' }],
    [
      { TABWIRE_OIDC_ISSUER: 'https://id.example.org/realms/one', TABWIRE_OIDC_AUDIENCE: 'tabwire' },
      { oidc: { issuer: 'https://id.example.org/realms/one', audience: 'tabwire' } },
    ],
    [
      { TABWIRE_OIDC_ISSUER: 'http://127.0.0.1:8080', TABWIRE_OIDC_AUDIENCE: 'https://tabs.example.org' },
      { oidc: { issuer: 'http://127.0.0.1:8080', audience: 'https://tabs.example.org' } },
    ],
    [{ TABWIRE_ARTIFACT_QUOTA_MB: '1' }, { artifactQuotaBytes: 1_048_576 }],
    [{ TABWIRE_SIGNING_KEYS: SECRET }, { signingKeys: [SECRET] }],
    [{ TABWIRE_SIGNING_KEYS: `${SECRET},${SECRET}2` }, { signingKeys: [SECRET, `${SECRET}2`] }],
    [{ TABWIRE_PROFILE_KEY: SECRET }, { profileKeys: [SECRET] }],
    [{ TABWIRE_CAPTURE_BODIES: 'text' }, { captureBodies: 'TEXT' }],
    [{ TABWIRE_CAPTURE_BODIES: 'NONE' }, { captureBodies: 'NONE' }],
    [{ TABWIRE_BODY_RETENTION_DAYS: '7' }, { bodyRetentionDays: 7 }],
    [{ TABWIRE_BODY_KEY: `${SECRET},${SECRET}-before` }, { bodyKeys: [SECRET, `${SECRET}-before`] }],
    [
      { TABWIRE_REDACT: '{"headers": ["X-Api-Key"], "patterns": ["sk-[a-z]+"]}' },
      { redact: { headers: ['X-Api-Key'], jsonKeys: [], urlParameters: [], patterns: ['sk-[a-z]+'] } },
    ],
    [{ TABWIRE_REDACT: '{}' }, { redact: { headers: [], jsonKeys: [], urlParameters: [], patterns: [] } }],
    [{ TABWIRE_S3_BUCKET: 'tabwire' }, { artifacts: S3 }],
    [{ TABWIRE_S3_REGION: 'eu-central-1' }, {}],
    [
      {
        TABWIRE_S3_BUCKET: 'tabwire',
        TABWIRE_S3_ENDPOINT: 'http://minio:9000',
        TABWIRE_S3_REGION: 'eu-central-1',
        TABWIRE_S3_ACCESS_KEY_ID: 'id',
        TABWIRE_S3_SECRET_ACCESS_KEY: 'secret',
        TABWIRE_S3_PREFIX: 'some/where',
        TABWIRE_S3_DOWNLOADS: 'redirect',
      },
      {
        artifacts: {
          kind: 's3',
          bucket: 'tabwire',
          endpoint: 'http://minio:9000',
          region: 'eu-central-1',
          credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
          prefix: 'some/where/',
          pathStyle: true,
          downloads: 'redirect',
        },
      },
    ],
    [
      {
        TABWIRE_S3_BUCKET: 'tabwire',
        TABWIRE_S3_ENDPOINT: 'https://s3.example.org',
        TABWIRE_S3_FORCE_PATH_STYLE: 'false',
        TABWIRE_S3_PREFIX: 'ends/',
      },
      { artifacts: { ...S3, endpoint: 'https://s3.example.org', prefix: 'ends/' } },
    ],
    [
      { TABWIRE_AI_PROVIDER: 'openai', TABWIRE_AI_MODEL: 'some-model', TABWIRE_AI_API_KEY: 'key' },
      { ai: { provider: 'openai', model: 'some-model', apiKey: 'key', baseUrl: null, prices: {} } },
    ],
    [
      {
        TABWIRE_AI_PROVIDER: 'openai-compatible',
        TABWIRE_AI_MODEL: 'local',
        TABWIRE_AI_BASE_URL: 'http://127.0.0.1:8080/v1',
        TABWIRE_AI_PRICES: '{"local": {"input": 0, "output": 0.5}}',
      },
      {
        ai: {
          provider: 'openai-compatible',
          model: 'local',
          apiKey: null,
          baseUrl: 'http://127.0.0.1:8080/v1',
          prices: { local: { input: 0, output: 0.5 } },
        },
      },
    ],
    ...ACCEPTED_CLUSTERS,
    // Compose files and shells produce empty or padded variables.
    [{ PORT: '', DATABASE_URL: '', TABWIRE_API_KEY: ' ', TABWIRE_LOG_LEVEL: '' }, {}],
    [{ PORT: ' 4001 ' }, { port: 4001 }],
    [{ UNRELATED: 'yes', tabwire_port: '1' }, {}],
  ]

  test.each(accepted)('%j', (env, changed) => {
    expect(loadConfig(env)).toEqual({ ...DEFAULTS, ...changed })
  })

  test('every variable there is, and does something with each', () => {
    const isUsed = (name: string) =>
      accepted.some(([{ [name]: given, ...others }]) => {
        if (given === undefined) return false
        try {
          return !isDeepStrictEqual(loadConfig(others), loadConfig({ ...others, [name]: given }))
        } catch {
          return true
        }
      })
    expect(CONFIG_VARIABLES.filter((name) => !isUsed(name))).toEqual([])
  })
})

/** The problems of an environment, one per line. */
function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    loadConfig(env)
    return []
  } catch (error) {
    if (error instanceof ConfigInvalid) return error.problems
    throw error
  }
}

describe('refuses', () => {
  test.each<[Record<string, string>, string]>([
    [{ TABWIRE_EGRESS: 'private' }, 'TABWIRE_EGRESS must be open, public or none (it is "private")'],
    [
      { TABWIRE_EGRESS_ALLOW: 'fine.test, *.10.0.0.1' },
      'TABWIRE_EGRESS_ALLOW must be a host name (example.com, *.example.com), an IP address or a CIDR block, each with an optional :port: "*.10.0.0.1" is not (it is "fine.test, *.10.0.0.1")',
    ],
    [{ HOST: 'not a host' }, 'HOST must be an IP address or a host name (it is "not a host")'],
    [{ HOST: 'http://x' }, 'HOST must be an IP address or a host name (it is "http://x")'],
    [{ PORT: '65536' }, 'PORT must be a whole number from 0 to 65535 (it is "65536")'],
    [{ PORT: '-1' }, 'PORT must be a whole number from 0 to 65535 (it is "-1")'],
    [{ PORT: '4e3' }, 'PORT must be a whole number from 0 to 65535 (it is "4e3")'],
    [{ PORT: '80.5' }, 'PORT must be a whole number from 0 to 65535 (it is "80.5")'],
    [{ DATABASE_URL: 'mysql://me:secret@db/x' }, 'DATABASE_URL must be a postgres:// URL'],
    [{ DATABASE_URL: 'tabwire' }, 'DATABASE_URL must be a postgres:// URL'],
    [{ TABWIRE_API_KEY: 'short' }, 'TABWIRE_API_KEY must be 16 to 256 printable ASCII characters without spaces'],
    [
      { TABWIRE_API_KEY: 'with spaces in between' },
      'TABWIRE_API_KEY must be 16 to 256 printable ASCII characters without spaces',
    ],
    [{ TABWIRE_PUBLIC_URL: 'tabs.example.org' }, 'TABWIRE_PUBLIC_URL must be an http:// or https:// URL'],
    [{ TABWIRE_PUBLIC_URL: 'ws://tabs.example.org' }, 'TABWIRE_PUBLIC_URL must be an http:// or https:// URL'],
    [{ TABWIRE_BROWSER_SANDBOX: 'yes' }, 'TABWIRE_BROWSER_SANDBOX must be auto, on or off (it is "yes")'],
    [{ TABWIRE_MAX_SESSIONS: '0' }, 'TABWIRE_MAX_SESSIONS must be a whole number from 1 to 1000 (it is "0")'],
    [{ TABWIRE_MAX_QUEUED: '-' }, 'TABWIRE_MAX_QUEUED must be a whole number from 0 to 100000 (it is "-")'],
    [{ TABWIRE_WARM_BROWSERS: '101' }, 'TABWIRE_WARM_BROWSERS must be a whole number from 0 to 100 (it is "101")'],
    [
      { TABWIRE_MAX_LOG_ENTRIES: '99' },
      'TABWIRE_MAX_LOG_ENTRIES must be a whole number from 100 to 100000000 (it is "99")',
    ],
    [
      { TABWIRE_RETENTION_DAYS: '36501' },
      'TABWIRE_RETENTION_DAYS must be a whole number from 0 to 36500 (it is "36501")',
    ],
    [
      { TABWIRE_ARTIFACT_QUOTA_MB: '0' },
      'TABWIRE_ARTIFACT_QUOTA_MB must be a whole number from 1 to 1000000000 (it is "0")',
    ],
    [
      { TABWIRE_TEMP_DIR: `/${'x'.repeat(60)}` },
      `TABWIRE_TEMP_DIR must have at most 60 characters as a full path, for sockets are made below it (it is "/${'x'.repeat(60)}")`,
    ],
    [
      { TABWIRE_TEMP_LIMIT_MB: '63' },
      'TABWIRE_TEMP_LIMIT_MB must be a whole number from 64 to 1000000000 (it is "63")',
    ],
    [
      { TABWIRE_SIGNING_KEYS: `${SECRET},short` },
      'TABWIRE_SIGNING_KEYS must be secrets of 32 to 256 printable ASCII characters, with commas between',
    ],
    [{ TABWIRE_CAPTURE_BODIES: 'some' }, 'TABWIRE_CAPTURE_BODIES must be NONE, TEXT or ALL (it is "some")'],
    [
      { TABWIRE_BODY_RETENTION_DAYS: '-1' },
      'TABWIRE_BODY_RETENTION_DAYS must be a whole number from 0 to 36500 (it is "-1")',
    ],
    [
      { TABWIRE_BODY_KEY: `${SECRET},short` },
      'TABWIRE_BODY_KEY must be secrets of 32 to 256 printable ASCII characters, with commas between',
    ],
    [
      { TABWIRE_REDACT: '{"patterns": ["(?=a)"]}' },
      String.raw`TABWIRE_REDACT must have patterns in the syntax of RE2 (it is "{\"patterns\": [\"(?=a)\"]}")`,
    ],
    [
      { TABWIRE_REDACT: 'password' },
      'TABWIRE_REDACT must be JSON such as {"headers": ["x-api-key"], "jsonKeys": ["token"], "urlParameters": ["token"], "patterns": ["sk-[a-z]+"]}, with at most 100 names each and 10 patterns (it is "password")',
    ],
    [
      { TABWIRE_PROFILE_KEY: 'short' },
      'TABWIRE_PROFILE_KEY must be 32 to 256 printable ASCII characters without spaces',
    ],
    ...REFUSED_CLUSTERS,
    [{ TABWIRE_S3_BUCKET: 'No Bucket' }, 'TABWIRE_S3_BUCKET must be the name of a bucket (it is "No Bucket")'],
    [
      { TABWIRE_S3_BUCKET: 'tabwire', TABWIRE_S3_ENDPOINT: 'minio:9000' },
      'TABWIRE_S3_ENDPOINT must be an http:// or https:// URL (it is "minio:9000")',
    ],
    [
      { TABWIRE_S3_ENDPOINT: 'http://minio:9000' },
      'TABWIRE_S3_BUCKET must be set where other TABWIRE_S3_ variables are',
    ],
    [
      { TABWIRE_S3_BUCKET: 'tabwire', TABWIRE_S3_ACCESS_KEY_ID: 'id' },
      'TABWIRE_S3_ACCESS_KEY_ID and TABWIRE_S3_SECRET_ACCESS_KEY must be set together',
    ],
    [
      { TABWIRE_S3_BUCKET: 'tabwire', TABWIRE_S3_DOWNLOADS: 'direct' },
      'TABWIRE_S3_DOWNLOADS must be proxy or redirect (it is "direct")',
    ],
    [
      { TABWIRE_S3_BUCKET: 'tabwire', TABWIRE_S3_FORCE_PATH_STYLE: 'yes' },
      'TABWIRE_S3_FORCE_PATH_STYLE must be true or false (it is "yes")',
    ],
    [
      { TABWIRE_OIDC_ISSUER: 'http://id.example.org', TABWIRE_OIDC_AUDIENCE: 'tabwire' },
      'TABWIRE_OIDC_ISSUER must be an https:// URL without query and fragment (http:// on a loopback address) (it is "http://id.example.org")',
    ],
    [
      { TABWIRE_OIDC_ISSUER: 'https://id.example.org' },
      'TABWIRE_OIDC_ISSUER and TABWIRE_OIDC_AUDIENCE must be set together',
    ],
    [{ TABWIRE_AI_MODEL: 'x' }, 'TABWIRE_AI_PROVIDER must be set where other TABWIRE_AI_ variables are'],
    [
      { TABWIRE_AI_PROVIDER: 'anthropic', TABWIRE_AI_API_KEY: 'key' },
      'TABWIRE_AI_MODEL must be set with TABWIRE_AI_PROVIDER',
    ],
    [
      { TABWIRE_AI_PROVIDER: 'openai', TABWIRE_AI_MODEL: 'x' },
      'TABWIRE_AI_API_KEY must be set with TABWIRE_AI_PROVIDER=openai',
    ],
    [
      { TABWIRE_AI_PROVIDER: 'openai-compatible', TABWIRE_AI_MODEL: 'x' },
      'TABWIRE_AI_BASE_URL must be set with TABWIRE_AI_PROVIDER=openai-compatible',
    ],
    [
      { TABWIRE_AI_PROVIDER: 'mine', TABWIRE_AI_MODEL: 'x' },
      'TABWIRE_AI_PROVIDER must be openai, openai-compatible or anthropic (it is "mine")',
    ],
    ...['proxy.example', '10', '10.0.0.0/33', '0.0.0.0/0', 'loopback, 10.0.0.0/x'].map(
      (proxies): [Record<string, string>, string] => [
        { TABWIRE_TRUSTED_PROXIES: proxies },
        `TABWIRE_TRUSTED_PROXIES must be IP addresses, CIDR ranges, loopback, linklocal or uniquelocal, with commas between (it is "${proxies}")`,
      ],
    ),
    [
      { TABWIRE_LOG_LEVEL: 'verbose' },
      'TABWIRE_LOG_LEVEL must be fatal, error, warn, info, debug, trace or silent (it is "verbose")',
    ],
  ])('%j', (env, problem) => {
    expect(problemsOf(env)).toEqual([problem])
  })

  test('with every problem at once, and no secret in any', () => {
    const problems = problemsOf({
      PORT: 'x',
      TABWIRE_API_KEY: 'hunter2',
      DATABASE_URL: 'mysql://me:hunter2@db/x',
      TABWIRE_LOG_LEVEL: 'loud',
    })
    expect(problems.map((line) => line.split(' ')[0])).toEqual([
      'PORT',
      'DATABASE_URL',
      'TABWIRE_API_KEY',
      'TABWIRE_LOG_LEVEL',
    ])
    expect(problems.join('\n')).not.toContain('hunter2')
  })
})

describe('every variable', () => {
  const documented = readFileSync(join(import.meta.dirname, '..', 'docs', 'configuration.md'), 'utf8')
  const rows = [...documented.matchAll(/^\| (`[^|]+`) \|([^|]*)\|([^|]*)/gm)].flatMap(([, names, byDefault, meaning]) =>
    names!.split(', ').map((name) => ({ name: name.replaceAll('`', ''), byDefault: byDefault!, meaning: meaning! })),
  )

  test('is documented, once, and says what it means', () => {
    expect(rows.map(({ name }) => name).toSorted()).toEqual(CONFIG_VARIABLES.toSorted())
    expect(rows.filter(({ meaning }) => meaning.trim() === '')).toEqual([])
  })

  test('has its default there, where it is a value', () => {
    const defaults = Object.entries(environment.parse({})).flatMap(([name, value]) =>
      typeof value === 'number' || (typeof value === 'string' && value !== '') ? [[name, `\`${value}\``] as const] : [],
    )
    expect(defaults.length).toBeGreaterThan(10)
    const wrong = defaults.filter(([name, value]) => !rows.find((row) => row.name === name)?.byDefault.includes(value))
    expect(wrong).toEqual([])
  })

  test('is in the help of the command', () => {
    const named = new Set(serve.help.match(/\b[A-Z][A-Z0-9_]+\b/g))
    expect(CONFIG_VARIABLES.filter((name) => !named.has(name))).toEqual([])
  })
})
