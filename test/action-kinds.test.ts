import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ACTION_KINDS } from '../src/contract/actions/list.ts'

/** Errors in new kinds of actions that neither types nor the printed schema detect (CONTRIBUTING.md has the steps). */

const ROOT = join(import.meta.dirname, '..')
const names = Object.keys(ACTION_KINDS)

test('each kind has a type of its own, named as it is', () => {
  const types = Object.entries(ACTION_KINDS).map(([name, { type }]) => [name, type])
  expect(types).toEqual(names.map((name) => [name, name.replace(/[A-Z]/g, '_$&').toUpperCase()]))
})

test('each kind is in docs/actions.md, and none that there is not', () => {
  const documented = readFileSync(join(ROOT, 'docs', 'actions.md'), 'utf8')
  const [, listed = ''] = /^Steps: `([^`]+)`/m.exec(documented) ?? []
  expect(listed.split(/\s+/).toSorted()).toEqual(names.toSorted())
})

test('each kind is tried in a real browser', () => {
  const tests = globSync('test/adapters/playwright/*.test.ts', { cwd: ROOT })
    .map((path) => readFileSync(join(ROOT, path), 'utf8'))
    .join('\n')
  expect(names.filter((name) => !tests.includes(`{ ${name}: {`))).toEqual([])
})
