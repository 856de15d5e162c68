import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateDrizzleJson, generateMigration } from 'drizzle-kit/api'
import { expect, test } from 'vitest'
import * as tables from '../../../src/adapters/postgres/base/tables.ts'

const MIGRATIONS = join(import.meta.dirname, '..', '..', '..', 'drizzle')
const read = <T>(name: string) => JSON.parse(readFileSync(join(MIGRATIONS, 'meta', name), 'utf8')) as T

type Snapshot = ReturnType<typeof generateDrizzleJson>

test('the tables are those that the migrations make', async () => {
  const { entries } = read<{ entries: { idx: number }[] }>('_journal.json')
  const last = read<Snapshot>(`${String(entries.at(-1)!.idx).padStart(4, '0')}_snapshot.json`)
  expect(await generateMigration(last, generateDrizzleJson(tables, last.id))).toEqual([])
})

/** What the statements of an earlier version would fail at, or that takes from what it reads. */
const UNSAFE = /drop (table|column|constraint|default|type)|rename|set not null|alter column .* type/i
const NOT_FILLED = /add column (?!.*default).*not null/i

test('migrations only add, so servers of the version before continue beside a migrated database', () => {
  const files = readdirSync(MIGRATIONS).filter((name) => name.endsWith('.sql'))
  expect(files.length).toBeGreaterThan(10)
  const statements = files.flatMap((name) =>
    readFileSync(join(MIGRATIONS, name), 'utf8')
      .replaceAll(/^\s*--.*$/gm, '')
      .split(';')
      .map((statement) => `${name}: ${statement.replaceAll(/\s+/g, ' ')}`),
  )
  expect(statements.filter((statement) => UNSAFE.test(statement) || NOT_FILLED.test(statement))).toEqual([])
})
