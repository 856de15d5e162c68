import { globSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readSource } from './support/source-imports.ts'
import { KNOWN_ONLY_IN, PLAIN } from './support/technologies.ts'

const ROOT = join(import.meta.dirname, '..')

const sources = globSync('**/*.ts', { cwd: join(ROOT, 'src') })
  .sort()
  .map(readSource)

describe('imports', () => {
  test('each technology is known in its own module only', () => {
    const wrong = sources.flatMap(({ path, module, external }) =>
      external
        .filter(({ specifier }) => KNOWN_ONLY_IN[specifier] && !KNOWN_ONLY_IN[specifier].includes(module))
        .map(({ specifier }) => `${path} imports ${specifier}`),
    )
    expect(wrong).toEqual([])
  })

  test('adapters bring no technology that is not on the table', () => {
    const unlisted = sources
      .filter(({ module }) => module.startsWith('adapters/'))
      .flatMap(({ path, external }) =>
        external
          .filter(({ specifier }) => !specifier.startsWith('node:'))
          .filter(({ specifier }) => !KNOWN_ONLY_IN[specifier] && !PLAIN.includes(specifier))
          .map(({ specifier }) => `${path} imports ${specifier}`),
      )
    expect(unlisted).toEqual([])
  })

  test('the domain and what it builds on use Node, plain libraries and types only', () => {
    const wrong = sources
      .filter(({ module }) => ['domain', 'ports', 'contract', 'egress'].includes(module))
      .flatMap(({ path, external }) =>
        external
          .filter(
            ({ specifier, typeOnly }) => !specifier.startsWith('node:') && !PLAIN.includes(specifier) && !typeOnly,
          )
          .map(({ specifier }) => `${path} imports ${specifier}`),
      )
    expect(wrong).toEqual([])
  })

  test('the domain and what it builds on open no files, threads or processes', () => {
    const outside = ['node:child_process', 'node:cluster', 'node:fs', 'node:sqlite', 'node:worker_threads']
    const wrong = sources
      .filter(({ module }) => ['domain', 'ports', 'contract', 'egress'].includes(module))
      .flatMap(({ path, external }) =>
        external
          .filter(({ specifier }) => outside.includes(specifier))
          .map(({ specifier }) => `${path} imports ${specifier}`),
      )
    expect(wrong).toEqual([])
  })

  test('the ports hold interfaces, plain data and errors only', async () => {
    const isData = (value: unknown): boolean =>
      typeof value === 'object' && value !== null ? Object.values(value).every(isData) : typeof value !== 'function'
    const isError = (value: unknown): boolean =>
      typeof value === 'function' &&
      value.prototype instanceof Error &&
      [...Object.getOwnPropertyNames(value.prototype)].every((name) => name === 'constructor')
    const ports = sources.filter(({ module }) => module === 'ports')
    expect(ports.length).toBeGreaterThan(20)
    const behaving = await Promise.all(
      ports.map(async ({ path }) => {
        const held = (await import(join(ROOT, 'src', path))) as Record<string, unknown>
        const wrong = Object.entries(held).filter(([, value]) => !isData(value) && !isError(value))
        return wrong.map(([name]) => `${path} has ${name}`)
      }),
    )
    expect(behaving.flat()).toEqual([])
  })
})
