import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const DASHBOARD = join(import.meta.dirname, '..', 'dashboard')
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(DASHBOARD, 'generated', 'types-test-'))
})

afterAll(() => rm(folder, { recursive: true, force: true }))

/** Compiler errors of a module compiled together with those of the dashboard. */
async function complaintsAbout(code: string): Promise<string> {
  const imports = `
    import type { ResultOf, VariablesOf } from 'gql.tada'
    import { graphql } from '../../src/api/graphql.ts'
    import { WatchConsole } from '../../src/api/log-operations.ts'
    import { StartSession } from '../../src/api/operations.ts'
    void graphql, WatchConsole, StartSession
    type Line = ResultOf<typeof WatchConsole>['consoleMessages']['entries'][number]
    export type Start = VariablesOf<typeof StartSession>
  `
  await writeFile(
    join(folder, 'tried.ts'),
    `${imports}\nexport const tried = (line: Line) => { ${code}; return line }\n`,
  )
  const settings = {
    extends: join(DASHBOARD, 'tsconfig.json'),
    include: ['tried.ts'],
    compilerOptions: { noEmit: true },
  }
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(settings))
  const compiler = join(DASHBOARD, '..', 'node_modules', 'typescript', 'bin', 'tsc')
  return new Promise((resolve) => {
    execFile(process.execPath, [compiler, '-p', folder], (_error, output) => resolve(output))
  })
}

test('what an operation asks for has the type that the schema gives it', async () => {
  const code = `
    const text: string = line.text
    const url: string | undefined = line.location?.url
    const level: 'DEBUG' | 'LOG' | 'INFO' | 'WARNING' | 'ERROR' = line.level
    const start: Start = { input: { initialPrompt: text, record: ['TRACE'] } }
    void [url, level, start]`
  expect(await complaintsAbout(code)).toBe('')
})

test.each([
  ['a field that was not asked for', 'void line.pageId', "'pageId' does not exist"],
  ['a field that there is not', 'void line.txet', "'txet' does not exist"],
  ['a field that may be null', 'const stack: string = line.stack; void stack', "'string | null' is not assignable"],
  ['a value that its enum has not', "void (line.level === 'FATAL')", 'no overlap'],
  [
    'an input with a member that there is not',
    "const start: Start = { input: { prompt: '' } }; void start",
    "'prompt' does not exist",
  ],
  [
    'an operation with a field that the schema has not',
    'const wrong = graphql(`{ viewer { ownr } }`); const owner = (result: ResultOf<typeof wrong>): string => result.viewer.ownr; void owner',
    'is not assignable',
  ],
])('%s does not compile', async (_name, code, complaint) => {
  expect(await complaintsAbout(code)).toContain(complaint)
})
