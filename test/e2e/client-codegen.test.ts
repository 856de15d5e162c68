import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startProgram } from '../support/command.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const CODEGEN = join(ROOT, 'test', 'clients', 'codegen')
let folder: string

// Beside the packages that the generated code imports.
beforeAll(async () => {
  folder = await mkdtemp(join(CODEGEN, 'node_modules', '.generated-'))
})

afterAll(() => rm(folder, { recursive: true, force: true }))

/** Where the preset is found by its name. */
const run = (...args: string[]) =>
  startProgram(process.execPath, args, process.env as Record<string, string>, CODEGEN).finished

async function compile(operations: string) {
  await writeFile(join(folder, 'operations.ts'), operations)
  const settings = {
    compilerOptions: {
      target: 'es2024',
      lib: ['es2024', 'dom'],
      module: 'esnext',
      moduleResolution: 'bundler',
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      allowImportingTsExtensions: true,
      verbatimModuleSyntax: true,
      types: [],
    },
    include: ['operations.ts', 'generated'],
  }
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(settings))
  return run(join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', folder)
}

test('graphql-codegen makes types of the printed schema, with which operations and followLog are checked', async () => {
  const text = await readFile(join(CODEGEN, 'operations.ts'), 'utf8')
  const operations = text.replace('../../../src', join(ROOT, 'src'))
  await writeFile(join(folder, 'operations.ts'), operations)
  const generated = await run(
    join(CODEGEN, 'generate.mjs'),
    join(ROOT, 'schema.graphql'),
    join(folder, 'operations.ts'),
    folder,
  )
  expect(generated).toMatchObject({ code: 0 })
  expect(await compile(operations)).toMatchObject({ code: 0, stdout: '' })
  const wrong = await compile(operations.replace('entry.text satisfies string', 'entry.words'))
  expect(wrong.stdout).toContain("Property 'words' does not exist")
})
