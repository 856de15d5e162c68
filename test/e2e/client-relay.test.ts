import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startProgram } from '../support/command.ts'
import { startTestSite } from '../support/test-site.ts'
import { withApp } from '../support/with-app.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const RELAY = join(ROOT, 'test', 'clients', 'relay')
const { tabwire, site } = withApp(startTestSite)
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tw-relay-'))
})

afterAll(() => rm(folder, { recursive: true, force: true }))

/** In the folder: the compiler looks for sources below its working directory. */
const run = (...args: string[]) =>
  startProgram(process.execPath, args, process.env as Record<string, string>, folder).finished

test('Relay compiles operations over the printed schema, and watches a session live over graphql-ws', async () => {
  await cp(join(RELAY, 'operations.js'), join(folder, 'src', 'operations.js'))
  await cp(join(ROOT, 'schema.graphql'), join(folder, 'schema.graphql'))
  await mkdir(join(folder, 'artifacts'), { recursive: true })
  await writeFile(join(folder, 'package.json'), '{"type":"module"}')
  const settings = {
    src: './src',
    schema: './schema.graphql',
    language: 'javascript',
    eagerEsModules: true,
    artifactDirectory: './artifacts',
  }
  await writeFile(join(folder, 'relay.config.json'), JSON.stringify(settings))
  const compiler = join(RELAY, 'node_modules', 'relay-compiler', 'cli.js')
  expect(await run(compiler, join(folder, 'relay.config.json'))).toMatchObject({ code: 0 })
  const { url, apiKey } = tabwire()
  const driven = await run(
    join(RELAY, 'drive.mjs'),
    join(folder, 'artifacts'),
    `${url}/graphql`,
    apiKey,
    `${site().url}/ticker?ms=20`,
  )
  expect(driven).toMatchObject({ code: 0, stderr: '' })
  const { seen, kept, ...rest } = JSON.parse(driven.stdout) as { seen: string[]; kept: string[] }
  expect(rest).toEqual({ started: 'RUNNING', ended: 'CLOSED' })
  expect(seen.length).toBeGreaterThanOrEqual(20)
  expect(seen).toEqual(seen.map((_, index) => `tick ${index + 1}`))
  expect(kept).toEqual(seen)
})
