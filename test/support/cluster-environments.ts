import type { Config, NatsConfig } from '../../src/config.ts'

/** Environments of one machine among several, for the tests of the configuration. */

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

const CLUSTER = {
  NATS_URL: 'nats://127.0.0.1',
  DATABASE_URL: 'postgres://db/tabwire',
  TABWIRE_S3_BUCKET: 'tabwire',
  TABWIRE_CLUSTER_SECRET: SECRET,
  TABWIRE_INTERNAL_URL: 'http://10.0.0.1:4000',
}
const NO_FILES = { caFile: null, certFile: null, keyFile: null }

/** What comes of CLUSTER, with other members of `cluster.nats`. The keys are those that the version before derived. */
const ofCluster = (nats: Partial<NatsConfig>): Partial<Config> => ({
  database: { kind: 'server', url: CLUSTER.DATABASE_URL },
  artifacts: S3,
  cluster: {
    nats: {
      servers: ['127.0.0.1:4222'],
      user: null,
      password: null,
      token: null,
      credentialsFile: null,
      tls: null,
      ...nats,
    },
    secrets: [SECRET],
    machineKeys: ['W-CluzO70TYG7t6kr7DJo545Q1CJ1oCy9LjtXdDNX_o'],
    internalUrl: CLUSTER.TABWIRE_INTERNAL_URL,
    partitionSeconds: 60,
  },
  signingKeys: ['w_QQnXWNRPx1PKhvu6K3mPXVBE_xwaoTycOb0XdbqXg'],
  profileKeys: ['LTVIjtzhicYt2umlRKAp2Qiib2Y0UlXMhygCNMVS_i0'],
  bodyKeys: ['tmzCUyR6YIPScWFhaqaQ_U9RbkMhipBKkBFcrn-Zzz4'],
})

export const ACCEPTED_CLUSTERS: readonly [Record<string, string>, Partial<Config>][] = [
  [
    { ...CLUSTER, NATS_URL: 'nats://a.test, nats://b.test:4333' },
    ofCluster({ servers: ['a.test:4222', 'b.test:4333'] }),
  ],
  [
    { ...CLUSTER, NATS_URL: 'tls://me:p%40ss@a.test' },
    ofCluster({ servers: ['a.test:4222'], user: 'me', password: 'p@ss', tls: NO_FILES }),
  ],
  [{ ...CLUSTER, NATS_URL: 'nats://token@[::1]' }, ofCluster({ servers: ['[::1]:4222'], token: 'token' })],
  [
    {
      ...CLUSTER,
      TABWIRE_NATS_CREDENTIALS_FILE: '/run/one.creds',
      TABWIRE_NATS_CA_FILE: '/run/ca.pem',
      TABWIRE_NATS_CERT_FILE: '/run/cert.pem',
      TABWIRE_NATS_KEY_FILE: '/run/key.pem',
    },
    ofCluster({
      credentialsFile: '/run/one.creds',
      tls: { caFile: '/run/ca.pem', certFile: '/run/cert.pem', keyFile: '/run/key.pem' },
    }),
  ],
  [
    { ...CLUSTER, TABWIRE_PARTITION_SECONDS: '300' },
    { ...ofCluster({}), cluster: { ...ofCluster({}).cluster!, partitionSeconds: 300 } },
  ],
  [
    { ...CLUSTER, TABWIRE_INTERNAL_URL: 'https://one.internal/' },
    { ...ofCluster({}), cluster: { ...ofCluster({}).cluster!, internalUrl: 'https://one.internal' } },
  ],
  [
    { ...CLUSTER, TABWIRE_INTERNAL_URL: '', HOST: '10.0.0.1' },
    {
      ...ofCluster({}),
      host: '10.0.0.1',
      egress: { mode: 'PUBLIC', allow: [] },
      cluster: { ...ofCluster({}).cluster!, internalUrl: null },
    },
  ],
  // Keys that are given come before those of the cluster.
  [
    { ...CLUSTER, TABWIRE_PROFILE_KEY: SECRET, TABWIRE_SIGNING_KEYS: SECRET, TABWIRE_BODY_KEY: SECRET },
    { ...ofCluster({}), profileKeys: [SECRET], signingKeys: [SECRET], bodyKeys: [SECRET] },
  ],
]

export const REFUSED_CLUSTERS: readonly [Record<string, string>, string][] = [
  [{ ...CLUSTER, NATS_URL: 'http://a.test' }, 'NATS_URL must be nats:// or tls:// URLs, with commas between'],
  [{ ...CLUSTER, NATS_URL: 'nats://a.test/x' }, 'NATS_URL must be nats:// or tls:// URLs, with commas between'],
  [{ ...CLUSTER, NATS_URL: 'nats://%zz@a.test' }, 'NATS_URL must be nats:// or tls:// URLs, with commas between'],
  [
    { ...CLUSTER, NATS_URL: 'nats://me:one@a.test,nats://me:two@b.test' },
    'NATS_URL must have the same protocol and credentials in each of its URLs',
  ],
  [
    { ...CLUSTER, TABWIRE_CLUSTER_SECRET: 'short' },
    'TABWIRE_CLUSTER_SECRET must be secrets of 32 to 256 printable ASCII characters, with commas between',
  ],
  [{ ...CLUSTER, DATABASE_URL: '' }, 'DATABASE_URL must be set with NATS_URL: several machines share one PostgreSQL'],
  [
    { ...CLUSTER, TABWIRE_S3_BUCKET: '' },
    'TABWIRE_S3_BUCKET must be set with NATS_URL: artifacts and bodies on the disk of one machine are out of reach of the others',
  ],
  [
    { ...CLUSTER, TABWIRE_CLUSTER_SECRET: '' },
    'TABWIRE_CLUSTER_SECRET must be set with NATS_URL, to the same value on every machine: the keys of links, profiles and bodies are derived from it',
  ],
  [
    { ...CLUSTER, TABWIRE_INTERNAL_URL: '' },
    'TABWIRE_INTERNAL_URL must be set with NATS_URL while HOST is a loopback address: the other machines reach this one there',
  ],
  [
    { ...CLUSTER, TABWIRE_INTERNAL_URL: 'http://one.internal/path' },
    'TABWIRE_INTERNAL_URL must be an http:// or https:// URL without path and query',
  ],
  [{ TABWIRE_INTERNAL_URL: 'http://10.0.0.1' }, 'NATS_URL must be set with TABWIRE_INTERNAL_URL'],
  [{ TABWIRE_CLUSTER_SECRET: SECRET }, 'NATS_URL must be set with TABWIRE_CLUSTER_SECRET'],
  [{ TABWIRE_PARTITION_SECONDS: '60' }, 'NATS_URL must be set with TABWIRE_PARTITION_SECONDS'],
  [
    { ...CLUSTER, TABWIRE_PARTITION_SECONDS: '5' },
    'TABWIRE_PARTITION_SECONDS must be a whole number from 30 to 86400 (it is "5")',
  ],
  [
    { ...CLUSTER, TABWIRE_NATS_CERT_FILE: '/x' },
    'TABWIRE_NATS_CERT_FILE and TABWIRE_NATS_KEY_FILE must be set together',
  ],
  [
    { ...CLUSTER, NATS_URL: 'nats://t@a.test', TABWIRE_NATS_CREDENTIALS_FILE: '/x' },
    'TABWIRE_NATS_CREDENTIALS_FILE cannot be set with credentials in NATS_URL',
  ],
]
