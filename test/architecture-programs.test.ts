import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { importsOf, readSource, moduleOf } from './support/source-imports.ts'

const ROOT = join(import.meta.dirname, '..')

const sources = globSync('**/*.ts', { cwd: join(ROOT, 'src') })
  .sort()
  .map(readSource)

/** Allowed dependencies of tabwire/client: libraries that do not need Node. */
const OF_CLIENT = ['eventsource-parser', 'graphql']

/** Programs that run outside of the server, and are separate from it. */
describe('imports', () => {
  test('of tabwire/client stay within it, and nothing of the server imports it', () => {
    const own = sources.filter(({ module }) => module === 'client')
    expect(own.length).toBeGreaterThan(3)
    expect(own.flatMap(({ external }) => external).filter(({ specifier }) => !OF_CLIENT.includes(specifier))).toEqual(
      [],
    )
    expect(own.flatMap(({ local }) => local).filter(({ specifier }) => moduleOf(specifier) !== 'client')).toEqual([])
    expect(
      sources.filter(
        ({ module, local }) => module !== 'client' && local.some(({ specifier }) => moduleOf(specifier) === 'client'),
      ),
    ).toEqual([])
  })

  test('of the dashboard stay within it, but for tabwire/client, which it uses as every other page may', () => {
    const paths = globSync('dashboard/src/**/*.{ts,tsx}', { cwd: ROOT })
    expect(paths.length).toBeGreaterThan(20)
    const outside = paths.flatMap((path) =>
      importsOf(readFileSync(join(ROOT, path), 'utf8'))
        .filter(({ specifier }) => specifier.startsWith('.'))
        .map(({ specifier }) => join(dirname(path), specifier))
        .filter((target) => !/^dashboard\/(src|generated)\//.test(target) && target !== 'src/client/follow-log.ts')
        .map((target) => `${path} imports ${target}`),
    )
    expect(outside).toEqual([])
  })

  test('the scripts that run before anything is installed import Node alone', () => {
    const scripts = globSync(['scripts/*.mjs', 'bin/*.mjs'], { cwd: ROOT })
    expect(scripts.length).toBeGreaterThan(5)
    const wrong = scripts.flatMap((path) =>
      importsOf(readFileSync(join(ROOT, path), 'utf8'))
        .filter(
          ({ specifier }) => !specifier.startsWith('node:') && !/^\.{1,2}\/(scripts\/)?[\w-]+\.mjs$/.test(specifier),
        )
        .map(({ specifier }) => `${path} imports ${specifier}`),
    )
    expect(wrong).toEqual([])
  })
})
