import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateDrizzleJson, generateMigration } from 'drizzle-kit/api'
import { expect, test } from 'vitest'
import * as tables from '../../../src/adapters/postgres/base/tables.ts'

const MIGRATIONS = join(import.meta.dirname, '..', '..', '..', 'drizzle', 'meta')
const read = <T>(name: string) => JSON.parse(readFileSync(join(MIGRATIONS, name), 'utf8')) as T

type Snapshot = ReturnType<typeof generateDrizzleJson>

test('the tables are those that the migrations make', async () => {
  const { entries } = read<{ entries: { idx: number }[] }>('_journal.json')
  const last = read<Snapshot>(`${String(entries.at(-1)!.idx).padStart(4, '0')}_snapshot.json`)
  expect(await generateMigration(last, generateDrizzleJson(tables, last.id))).toEqual([])
})
