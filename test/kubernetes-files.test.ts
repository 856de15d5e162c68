import { execFile } from 'node:child_process'
import { mkdirSync, globSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { ScaledObject } from '@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject'
import { DaemonSet } from 'kubernetes-models/apps/v1/DaemonSet'
import { Deployment } from 'kubernetes-models/apps/v1/Deployment'
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy'
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget'
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap'
import { Secret } from 'kubernetes-models/v1/Secret'
import { Service } from 'kubernetes-models/v1/Service'
import pg from 'pg'
import { parse, parseAllDocuments } from 'yaml'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CONFIG_VARIABLES, loadConfig } from '../src/config.ts'
import { openStore } from '../src/adapters/postgres/store.ts'
import { createLogger } from '../src/logger.ts'
import { startPostgres, type TestPostgres } from './support/databases.ts'

/** deploy/kubernetes against the published schemas, and against what the server and the image know. No cluster runs it. */

const ROOT = join(import.meta.dirname, '..')
const FOLDER = join(ROOT, 'deploy', 'kubernetes')
const read = (path: string) => readFileSync(join(FOLDER, path), 'utf8')

/** By kind: what validates values, and the type that knows which members there are. */
const KINDS = {
  ConfigMap: [ConfigMap, 'kubernetes-models/v1/ConfigMap'],
  DaemonSet: [DaemonSet, 'kubernetes-models/apps/v1/DaemonSet'],
  Deployment: [Deployment, 'kubernetes-models/apps/v1/Deployment'],
  NetworkPolicy: [NetworkPolicy, 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy'],
  PodDisruptionBudget: [PodDisruptionBudget, 'kubernetes-models/policy/v1/PodDisruptionBudget'],
  ScaledObject: [ScaledObject, '@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject'],
  Secret: [Secret, 'kubernetes-models/v1/Secret'],
  Service: [Service, 'kubernetes-models/v1/Service'],
} as const
type Kind = keyof typeof KINDS

interface Manifest {
  file: string
  kind: Kind
  content: Record<string, unknown> & { kind: Kind; apiVersion: string }
}

const manifests: Manifest[] = globSync(['**/*.yaml', '**/*.yaml.template'], { cwd: FOLDER })
  .toSorted()
  .flatMap((file) =>
    parseAllDocuments(read(file)).map((document) => {
      const content = document.toJS() as Manifest['content']
      return { file, kind: content.kind, content }
    }),
  )

interface Container {
  envFrom: Record<string, { name: string }>[]
  lifecycle: { preStop: { exec: { command: string[] } } }
  startupProbe: Probe
  livenessProbe: Probe
  readinessProbe: Probe
  securityContext: Record<string, unknown>
  volumeMounts: { name: string; mountPath: string }[]
}
interface Probe {
  httpGet: { path: string; port: string }
}
const only = (kind: Kind, name = 'tabwire') =>
  manifests.find(({ content }) => content.kind === kind && (content['metadata'] as { name: string }).name === name)!
    .content
const pod = () =>
  (only('Deployment')['spec'] as { template: { metadata: object; spec: Record<string, unknown> } }).template.spec
const container = () => (pod()['containers'] as [Container])[0]

describe('every manifest', () => {
  test('is there, and of a kind that is known', () => {
    expect(manifests.map(({ file, kind }) => `${basename(file)} ${kind}`)).toEqual([
      'configuration.yaml ConfigMap',
      'deployment.yaml Deployment',
      'disruption-budget.yaml PodDisruptionBudget',
      'network-policy.yaml NetworkPolicy',
      'autoscaler.yaml ScaledObject',
      'seccomp-profile.yaml ConfigMap',
      'seccomp-profile.yaml DaemonSet',
      'secret.yaml.template Secret',
      'service.yaml Service',
    ])
  })

  test.each(manifests)('$file, $kind: has values that its schema allows', ({ kind, content }) => {
    const [Model] = KINDS[kind]
    const validated = new (Model as new (data: object) => { validate(): void; apiVersion: string })(content)
    expect(validated.apiVersion).toBe((Model as unknown as { apiVersion: string }).apiVersion)
    expect(() => validated.validate()).not.toThrow()
  })

  test('a wrong value is noticed', () => {
    const wrong = structuredClone(only('Deployment'))
    wrong['spec'] = { ...(wrong['spec'] as object), replicas: 'three' }
    expect(() => new Deployment(wrong as never).validate()).toThrow(/replicas/)
  })

  describe('members', () => {
    let folder: string
    beforeAll(async () => {
      const cache = join(ROOT, 'node_modules', '.cache')
      mkdirSync(cache, { recursive: true })
      folder = await mkdtemp(join(cache, 'manifests-'))
    })
    afterAll(() => rm(folder, { recursive: true, force: true }))

    /** Schemas let unknown members pass; the types that are made of them do not. */
    async function complaintsAbout(checked: readonly Pick<Manifest, 'kind' | 'content'>[]): Promise<string> {
      const lines = checked.flatMap(({ kind, content }, index) => [
        `import type { I${kind} as Kind${index} } from '${KINDS[kind][1]}'`,
        `export const manifest${index}: Kind${index} = ${JSON.stringify(content)}`,
      ])
      await writeFile(join(folder, 'manifests.ts'), lines.join('\n'))
      const compilerOptions = { noEmit: true, strict: true, module: 'nodenext', skipLibCheck: true, types: [] }
      await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ include: ['manifests.ts'], compilerOptions }))
      const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
      return new Promise((resolve) => {
        execFile(process.execPath, [compiler, '-p', folder], (_error, output) => resolve(output))
      })
    }

    test('are all known', async () => {
      expect(await complaintsAbout(manifests)).toBe('')
      const misspelled = structuredClone(only('Deployment'))
      const { template } = misspelled['spec'] as { template: { spec: Record<string, unknown> } }
      template.spec['terminationGracePeriod'] = 60
      expect(await complaintsAbout([{ kind: 'Deployment', content: misspelled }])).toContain('terminationGracePeriod')
    })
  })

  test('belongs together by the same labels', () => {
    const labels = { 'app.kubernetes.io/name': 'tabwire' }
    expect(only('Deployment')).toMatchObject({
      spec: { selector: { matchLabels: labels }, template: { metadata: { labels } } },
    })
    expect(only('Service')).toMatchObject({ spec: { selector: labels } })
    expect(only('PodDisruptionBudget')).toMatchObject({ spec: { selector: { matchLabels: labels } } })
    expect(only('NetworkPolicy')).toMatchObject({ spec: { podSelector: { matchLabels: labels } } })
  })
})

describe('the server', () => {
  const settings = () => ({
    ...(only('ConfigMap')['data'] as Record<string, string>),
    ...(only('Secret')['stringData'] as Record<string, string>),
  })

  test('accepts the configuration as that of one machine among several, and knows each variable', () => {
    expect(Object.keys(settings()).filter((name) => !CONFIG_VARIABLES.includes(name))).toEqual([])
    const placeholder = 'REPLACE-BY-64-HEXADECIMAL-DIGITS'
    expect(settings()).toMatchObject({ TABWIRE_CLUSTER_SECRET: placeholder })
    const config = loadConfig({ HOST: '0.0.0.0', ...settings() })
    expect(config).toMatchObject({
      database: { kind: 'server' },
      artifacts: { kind: 's3' },
      egress: { mode: 'PUBLIC' },
    })
    expect(config.cluster?.nats.servers).toEqual(['nats:4222'])
  })

  test('has time to drain before it is killed, and is asked whether it lives and whether it is ready', () => {
    const seconds = Number(settings()['TABWIRE_DRAIN_SECONDS'])
    expect(pod()['terminationGracePeriodSeconds']).toBe(seconds + 60)
    const { lifecycle, startupProbe, livenessProbe, readinessProbe } = container()
    expect(lifecycle.preStop.exec.command).toEqual(['node', '/app/bin/tabwire.mjs', 'drain'])
    expect([startupProbe, livenessProbe, readinessProbe].map(({ httpGet }) => httpGet.path)).toEqual([
      '/health',
      '/health',
      '/ready',
    ])
  })

  test('runs as the user of the image, in its places, without capabilities, under the profile of the repository', () => {
    const image = readFileSync(join(ROOT, 'Dockerfile'), 'utf8')
    const [, uid] = /useradd --uid (\d+)/.exec(image)!
    expect(image).toContain('TABWIRE_DATA_DIR=/data')
    expect(pod()['securityContext']).toEqual({
      runAsNonRoot: true,
      runAsUser: Number(uid),
      runAsGroup: Number(uid),
      fsGroup: Number(uid),
      seccompProfile: { type: 'Localhost', localhostProfile: 'profiles/tabwire.json' },
    })
    expect(container().securityContext).toEqual({ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } })
    expect(container().volumeMounts.map(({ mountPath }) => mountPath)).toEqual(['/data', '/tmp', '/dev/shm'])
    const profile = only('ConfigMap', 'tabwire-seccomp')['data'] as Record<string, string>
    expect(parse(profile['tabwire.json']!)).toEqual(
      JSON.parse(readFileSync(join(ROOT, 'docker', 'seccomp.json'), 'utf8')),
    )
  })
})

describe('the autoscaler', () => {
  let postgres: TestPostgres
  beforeAll(async () => {
    postgres = await startPostgres()
  })
  afterAll(() => postgres?.close())

  test('counts the sessions of servers that take new ones, and keeps a quarter of the slots free', async () => {
    const { triggers } = only('ScaledObject')['spec'] as { triggers: [{ metadata: Record<string, string> }] }
    const { query, targetQueryValue, connectionFromEnv } = triggers[0].metadata
    expect(connectionFromEnv).toBe('DATABASE_URL')
    const slots = loadConfig({
      ...(only('ConfigMap')['data'] as Record<string, string>),
      DATABASE_URL: 'postgres://x/x',
    })
    expect(Number(targetQueryValue)).toBe(slots.maxSessions * 0.75)

    const store = await openStore(
      { kind: 'server', url: postgres.url },
      { dataDir: '/nonexistent', logger: createLogger('silent') },
    )
    try {
      const report = { address: null, version: '1', slots: 20, queued: 1, warm: 0 }
      for (const [id, live, draining] of [
        ['one', 7, false],
        ['other', 5, false],
        ['leaving', 9, true],
      ] as const) {
        await store.machines.begin({ id, instance: id, leaseMs: 60_000 }, { ...report, live, draining })
      }
    } finally {
      await store.close()
    }
    const client = new pg.Client({ connectionString: postgres.url })
    await client.connect()
    try {
      const { rows } = await client.query<Record<string, string>>(query!)
      expect(rows.map((row) => Object.values(row).map(Number))).toEqual([[14]])
    } finally {
      await client.end()
    }
  })
})
