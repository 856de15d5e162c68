import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

/** Errors in a new store, or in a new method of one, that types do not detect (CONTRIBUTING.md has the steps). */

const ROOT = join(import.meta.dirname, '..')
const textsOf = (pattern: string) =>
  globSync(pattern, { cwd: ROOT }).map((path) => readFileSync(join(ROOT, path), 'utf8'))

const tests = textsOf('test/contracts/*.test.ts')
const contracts = textsOf('test/contracts/*.contract.ts').join('\n')

/** The functions of adapters that open an implementation of the port. */
const openersOf = (port: string) =>
  textsOf('src/adapters/**/*.ts').flatMap((text) =>
    [...text.matchAll(/^export (?:async )?function (\w+)\([^]*?\): ([^\n]+) \{$/gm)].flatMap(([, name, type]) =>
      type === `Promise<${port}>` || type === port ? [name!] : [],
    ),
  )

const PORTS = [
  ['Store', 'describeStore', 'store/store.ts', 1],
  ['ArtifactStore', 'describeArtifactStore', 'artifacts/artifact-store.ts', 2],
  ['Bus', 'describeBus', 'machines/bus.ts', 1],
] as const

test.each(PORTS)('every %s passes the suite of its contract', (port, suite, _, least) => {
  const openers = openersOf(port)
  expect(openers.length).toBeGreaterThanOrEqual(least)
  const untried = openers.filter(
    (name) => !tests.some((text) => text.includes(`${suite}(`) && text.includes(`${name}(`)),
  )
  expect(untried).toEqual([])
})

const WITH_METHODS = [
  ...PORTS.map(([port, , file]) => [port, file] as const),
  ['StartStore', 'store/start-store.ts'] as const,
]

test.each(WITH_METHODS)('every method of %s is part of its contract', (port, file) => {
  const text = readFileSync(join(ROOT, 'src/ports', file), 'utf8')
  const [, members = ''] =
    new RegExp(`^export interface ${port}(?: extends \\w+)? \\{([^]*?)^\\}`, 'm').exec(text) ?? []
  const methods = [...members.matchAll(/^  (\w+)\(/gm)].map(([, name]) => name!)
  expect(methods.length).toBeGreaterThan(2)
  expect(methods.filter((name) => name !== 'close' && !contracts.includes(`.${name}(`))).toEqual([])
})
