import { globSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '..')

describe('files', () => {
  const written = globSync(
    ['{src,test,bench,examples,dashboard/src}/**/*.{ts,tsx}', '{scripts,bin}/**/*.mjs', '{,dashboard/}*.ts'],
    { cwd: ROOT, exclude: ['**/node_modules/**'] },
  )
    .sort()
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }))

  const ownPath = relative(ROOT, import.meta.filename)

  /** Longer ones, each with its reason. */
  const MAY_BE_LONG: Record<string, string> = {}

  test('have at most 400 lines', () => {
    const long = written.map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
    expect(long.filter(({ path, lines }) => lines > 400 && !MAY_BE_LONG[path])).toEqual([])
  })

  test('are named for what they hold', () => {
    const vague = /(^|[/.-])(utils?|helpers?|common|misc|shared|service|manager|index)\.(ts|mjs)$/
    expect(written.map(({ path }) => path).filter((path) => vague.test(path))).toEqual([])
  })

  test('are no barrels', () => {
    const sources = written.filter(({ path }) => path.startsWith('src/'))
    const barrels = sources.filter(({ text }) => {
      const statements = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '').match(/^\S.*$/gm) ?? []
      return /^export \*/m.test(text) || statements.every((line) => /^(export .*from|\})/.test(line))
    })
    expect(barrels.map(({ path }) => path)).toEqual([])
  })

  test('switch off no check and leave nothing for later', () => {
    const evasion = /@ts-(ignore|nocheck|expect-error)|\b(TODO|FIXME|XXX)\b|\b(test|it|describe)\.(skip|only|todo)\b/
    expect(written.filter(({ path, text }) => path !== ownPath && evasion.test(text)).map(({ path }) => path)).toEqual(
      [],
    )
  })
})
