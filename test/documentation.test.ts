import { existsSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { isEnumType } from 'graphql'
import { expect, test } from 'vitest'
import { schema } from '../src/schema/schema.ts'
import { DOCUMENTS, readDocument } from './support/snippets.ts'

const ROOT = join(import.meta.dirname, '..')
const PAGES = [...DOCUMENTS, 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md']

/** The anchor of a heading, for links within a page. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\- _]/gu, '')
    .replaceAll(' ', '-')

const anchorsOf = (file: string) =>
  [...readDocument(file).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading!))

test.each(PAGES)('every link of %s within the project leads somewhere', (page) => {
  const broken = [...readDocument(page).matchAll(/(?:\]\(|src(?:set)?=")(?!https?:)([^)"\s]+)/g)]
    .map(([, link]) => link!)
    .filter((link) => {
      const [path, anchor] = link.split('#') as [string, string | undefined]
      const file = path === '' ? page : normalize(join(dirname(page), path))
      if (!existsSync(join(ROOT, file))) return true
      return anchor !== undefined && !anchorsOf(file).includes(anchor)
    })
  expect(broken).toEqual([])
})

test('README fits on two screens and leads to every document', () => {
  const readme = readDocument('README.md')
  expect(readme.split('\n').length).toBeLessThanOrEqual(150)
  expect(DOCUMENTS.filter((file) => file !== 'README.md' && !readme.includes(`(${file})`))).toEqual([])
})

test.each(['BodyOmission', 'DropReason', 'RequestOutcome', 'SessionEndReason'])(
  'docs/log.md says when each value of %s is the reason',
  (name) => {
    const type = schema.getType(name)
    if (!isEnumType(type)) throw new Error(`${name} is no enum`)
    const rows = readDocument('docs/log.md')
      .split('\n')
      .filter((line) => line.startsWith('|'))
      .join('\n')
    expect(
      type
        .getValues()
        .map((value) => value.name)
        .filter((value) => !new RegExp(`\\b${value}\\b`).test(rows)),
    ).toEqual([])
  },
)
