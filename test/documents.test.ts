import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'

/** What the documents say of files, against the files. */

const ROOT = join(import.meta.dirname, '..')
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')

const DOCUMENTS = [...globSync('*.md', { cwd: ROOT }), ...globSync('docs/*.md', { cwd: ROOT })]

/** Files that a server, a build or an installation makes, and the names of what has slashes but is no path. */
const NOT_IN_THE_REPOSITORY = [
  /^(dist|dist-client|dist-dashboard|node_modules|\.toolchain|\.tabwire|\.\/\.tabwire|database)(\/|$)/,
  /^(lock\.sqlite|tabwire\/client|\.ts)$/,
  /^(example\.com|10\.0\.0\.0|dir>)\//,
]

const EXTENSIONS = 'cjs|css|json|jsonc|md|mjs|png|sql|sqlite|tsx?|yml|graphql'
const PATH = new RegExp(String.raw`^[\w@.<>*-]+(/[\w@.<>*-]+)*(/|\.(${EXTENSIONS}))$|^[\w@.<>*-]+(/[\w@.<>*-]+)+$`)

/** The words in backticks that look like paths or file names; commands are looked into. */
function pathsIn(text: string): string[] {
  const prose = text.replace(/^```[^]*?^```$/gm, '')
  return [...prose.matchAll(/`([^`\n]+)`/g)]
    .flatMap(([, code]) => code!.split(/\s+/))
    .filter((word) => PATH.test(word) && !NOT_IN_THE_REPOSITORY.some((pattern) => pattern.test(word)))
}

const everyFile = globSync(['*', '{.ci,bench,bin,dashboard,docker,docs,drizzle,examples,scripts,src,test}/**'], {
  cwd: ROOT,
  exclude: (name) => name === 'node_modules' || name === 'generated',
})

/** Whole from the root or src/ on, or the end of a path, as in a list of files of one folder. `<noun>` stands for any. */
function exists(path: string): boolean {
  const literal = path
    .replace(/\/$/, '')
    .replace(/[.+?^$()[\]{}|\\]/g, '\\$&')
    .replace(/\*\*|\*|<\w+>/g, '[^/]+')
  // Tests are named without their ending, too.
  const pattern = new RegExp(`(^|/)${literal}(\\.test\\.ts|\\.isolated\\.ts)?$`)
  return everyFile.some((file) => pattern.test(file))
}

describe('documents', () => {
  test('are found, and paths in them too', () => {
    expect(DOCUMENTS).toEqual(expect.arrayContaining(['ARCHITECTURE.md', 'CONTRIBUTING.md', 'docs/event-log.md']))
    expect(pathsIn('`src/app.ts`, `kernel/`, `npm test -- test/config.test.ts` and `Session.pages`')).toEqual([
      'src/app.ts',
      'kernel/',
      'test/config.test.ts',
    ])
    expect(exists('src/contract/actions/<kind>.ts')).toBe(true)
    expect(['src/ap.ts', 'app', 'kernal/', 'main/app.ts'].filter(exists)).toEqual([])
  })

  test.each(DOCUMENTS)('%s names only files that there are', (path) => {
    expect(pathsIn(read(path)).filter((named) => !exists(named))).toEqual([])
  })

  test.each(DOCUMENTS)('%s links only to files that there are', (path) => {
    const targets = [...read(path).matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)].map(([, target]) => target!)
    const files = targets.filter((target) => !/^[a-z]+:/.test(target))
    expect(files.filter((target) => !existsSync(join(ROOT, dirname(path), target)))).toEqual([])
  })
})

describe('ARCHITECTURE.md', () => {
  const text = read('ARCHITECTURE.md')
  const [, modules = ''] = /^## Modules\n([^]*?)^## /m.exec(text) ?? []
  const named = pathsIn(modules)

  test('has every module, and every folder of those that are divided', () => {
    const foldersOf = (path: string) =>
      readdirSync(join(ROOT, path), { withFileTypes: true }).map((entry) =>
        entry.isDirectory() ? `${entry.name}/` : entry.name,
      )
    const divided = ['domain', 'server', 'adapters', 'adapters/playwright']
    const folders = divided.flatMap((path) => foldersOf(`src/${path}`).filter((name) => name.endsWith('/')))
    const missing = [...foldersOf('src'), ...folders].filter(
      (name) => !named.some((one) => one === name || one === `src/${name}` || one === `src/adapters/${name}`),
    )
    expect(missing).toEqual([])
  })

  test('has at most two pages', () => {
    expect(text.split(/\s+/).length).toBeLessThan(1_100)
  })
})
