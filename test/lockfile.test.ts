import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

interface LockedPackage {
  version?: string
  integrity?: string
  resolved?: string
  optionalDependencies?: Record<string, string>
}

const ROOT = join(import.meta.dirname, '..')
const CLIENTS = join(ROOT, 'test', 'clients')
const PROJECTS = [ROOT, ...readdirSync(CLIENTS).map((name) => join(CLIENTS, name))]

const readJson = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'))

describe.each(PROJECTS)('%s', (project) => {
  const { packages } = readJson(join(project, 'package-lock.json')) as { packages: Record<string, LockedPackage> }
  const locked = Object.entries(packages).filter(([path]) => path !== '')

  test('every package is pinned by version and contents', () => {
    expect(locked.length).toBeGreaterThan(10)
    expect(locked.filter(([, { version, integrity }]) => !version || !integrity).map(([path]) => path)).toEqual([])
  })

  test('no package is tied to one registry', () => {
    expect(locked.filter(([, { resolved }]) => resolved !== undefined).map(([path]) => path)).toEqual([])
  })

  // npm ci refuses a lockfile that leaves out the packages of other platforms, which npm install does when the registry
  // has not got them all.
  test('the packages of every platform are there, so that npm ci works on each', () => {
    const names = new Set(
      locked.map(([path]) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)),
    )
    const missing = locked.flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies)
        .filter((name) => !names.has(name))
        .map((name) => `${name} of ${path}`),
    )
    expect(missing).toEqual([])
  })

  test('what package.json asks for is exact', () => {
    const { dependencies, devDependencies } = readJson(join(project, 'package.json')) as Record<
      string,
      Record<string, string>
    >
    const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(([, range]) => !/^\d/.test(range))
    expect(loose).toEqual([])
  })
})
