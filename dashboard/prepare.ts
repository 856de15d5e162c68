/**
 * Runs before the dashboard is compiled: generates the types of the printed schema for gql.tada (whose own command
 * needs an older compiler), then validates the dashboard's operations against that schema: an invalid field fails the
 * build here, with an error that names it.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { minifyIntrospection, outputIntrospectionFile } from '@gql.tada/internal'
import {
  buildSchema,
  introspectionFromSchema,
  NoUnusedFragmentsRule,
  parse,
  print,
  specifiedRules,
  validate,
} from 'graphql'

const ROOT = join(import.meta.dirname, '..')
const schema = buildSchema(readFileSync(join(ROOT, 'schema.graphql'), 'utf8'))

mkdirSync(join(import.meta.dirname, 'generated'), { recursive: true })
writeFileSync(
  join(import.meta.dirname, 'generated', 'schema-types.d.ts'),
  outputIntrospectionFile(minifyIntrospection(introspectionFromSchema(schema)), {
    fileType: '.d.ts',
    shouldPreprocess: true,
  }),
)

/** Fragments are also exported by themselves. */
const rules = specifiedRules.filter((rule) => rule !== NoUnusedFragmentsRule)
const operations: Record<string, unknown> = {
  ...(await import('./src/api/operations.ts')),
  ...(await import('./src/api/log-operations.ts')),
}
const errors = Object.entries(operations).flatMap(([name, document]) =>
  validate(schema, parse(print(document as Parameters<typeof print>[0])), rules).map(
    ({ message }) => `${name}: ${message}`,
  ),
)
for (const error of errors) process.stderr.write(`operations of the dashboard: ${error}\n`)
process.exitCode = errors.length === 0 ? 0 : 1
