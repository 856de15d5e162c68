import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'

const DASHBOARD = join(import.meta.dirname, '..', 'dashboard')

const IMPORTS = `
  import type { ResultOf, VariablesOf } from 'gql.tada'
  import { graphql } from '../../src/api/graphql.ts'
  import { WatchConsole } from '../../src/api/log-operations.ts'
  import { StartSession } from '../../src/api/operations.ts'
  void graphql, WatchConsole, StartSession
  type Line = ResultOf<typeof WatchConsole>['consoleMessages']['entries'][number]
  export type Start = VariablesOf<typeof StartSession>
`

const VALID = `
  const text: string = line.text
  const url: string | undefined = line.location?.url
  const level: 'DEBUG' | 'LOG' | 'INFO' | 'WARNING' | 'ERROR' = line.level
  const start: Start = { input: { initialPrompt: text, record: ['TRACE'] } }
  void [url, level, start]`

const REFUSED: [name: string, code: string, complaint: string][] = [
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
]

/** Compiler errors of each piece of code, and the last one's those of no piece. One run: each reads the whole schema. */
let complaints: string[]

beforeAll(async () => {
  const folder = await mkdtemp(join(DASHBOARD, 'generated', 'types-test-'))
  try {
    const codes = [VALID, ...REFUSED.map(([, code]) => code)]
    for (const [index, code] of codes.entries()) {
      const module = `${IMPORTS}\nexport const tried = (line: Line) => { ${code}; return line }\n`
      await writeFile(join(folder, `tried-${index}.ts`), module)
    }
    const settings = {
      extends: join(DASHBOARD, 'tsconfig.json'),
      include: ['tried-*.ts'],
      compilerOptions: { noEmit: true },
    }
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(settings))
    const compiler = join(DASHBOARD, '..', 'node_modules', 'typescript', 'bin', 'tsc')
    const output = await new Promise<string>((resolve) => {
      execFile(process.execPath, [compiler, '-p', folder, '--pretty', 'false'], (_error, printed) => resolve(printed))
    })
    // An error begins a line; the lines below it that explain it are indented.
    complaints = [...codes, null].map(() => '')
    for (const error of output.split(/^(?=\S)/m)) {
      const of = /tried-(\d+)\.ts\(/.exec(error.split('\n', 1)[0]!)
      complaints[of ? Number(of[1]) : codes.length] += error
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test('what an operation asks for has the type that the schema gives it', () => {
  expect([complaints[0], complaints.at(-1)]).toEqual(['', ''])
})

test.each(REFUSED.map((refused, index) => [...refused, index + 1] as const))(
  '%s does not compile',
  (_name, _code, complaint, index) => {
    expect(complaints[index]).toContain(complaint)
  },
)
