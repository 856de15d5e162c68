import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { CONFIG_VARIABLES } from '../src/config.ts'

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
}

const compose = parse(read('docker-compose.yml')) as {
  services: Record<'app' | 'database', Service>
  volumes: Record<string, unknown>
}
const { app, database } = compose.services

describe('docker-compose.yml', () => {
  test('has the app and PostgreSQL 17, and the app waits until that is ready', () => {
    expect(Object.keys(compose.services)).toEqual(['app', 'database'])
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
    const named = [...app.volumes, ...database.volumes].map((volume) => volume.split(':')[0])
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
