import type pg from 'pg'
import { migrateDatabase } from '../src/adapters/postgres/connection/migrate.ts'
import { openDatabase } from '../src/adapters/postgres/connection/open-database.ts'
import { createLogger } from '../src/logger.ts'
import { ENTRY_VERSION } from '../src/contract/entries/upgrades.ts'
import { encodeGlobalId } from '../src/contract/global-id.ts'
import type { SessionPosition } from '../src/ports/store/store.ts'
import type { DatabaseSpace } from './database-space.ts'
import type { GraphqlClient } from './graphql-client.ts'

/**
 * Contents of the seeded database: logs of a million, a hundred thousand and a thousand entries, and owners of a
 * hundred thousand and of a thousand sessions. Written with SQL that matches the server's rows, only faster.
 */
export const LOG_OWNER = 'bench-logs'
export const OWNER_OF_MANY = 'bench-many'
export const OWNER_OF_FEW = 'bench-few'
export const MANY_SESSIONS = 100_000
export const FEW_SESSIONS = 1_000

export const LARGE_LOG = '01930000-0000-7000-8000-000000000001'
export const LARGE_LOG_ENTRIES = 1_000_000
export const SMALL_LOG = '01930000-0000-7000-8000-000000000002'
export const SMALL_LOG_ENTRIES = 1_000
export const REPLAYED_LOG = '01930000-0000-7000-8000-000000000003'
export const REPLAYED_LINES = 100_000

/** Creation time of every owner's newest session; each older one is 20 s earlier. */
const NEWEST_AT = Math.floor(Date.now() / 1000) * 1000 - 3_600_000
const APART_MS = 20_000
/** Short statements, so that progress does not depend on one. */
const ENTRIES_PER_STATEMENT = 100_000

export const idOfLog = (log: string): string => encodeGlobalId('Session', log)

/** A key with read access to the owner's data. */
export async function keyOf(client: GraphqlClient, owner: string): Promise<string> {
  const { createApiKey } = await client.query<{ createApiKey: { secret: string } }>(
    'mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret } }',
    { input: { name: 'benchmarks', owner, scopes: ['READ'] } },
  )
  return createApiKey.secret
}

/** Position, counted from 1, of the session that this many newer ones of its owner precede. */
export function positionOfSession(owner: string, number: number): SessionPosition {
  return { createdAt: NEWEST_AT - number * APART_MS, id: idOfSession(owner, number) }
}

function idOfSession(owner: string, number: number): string {
  const digits = (owner === OWNER_OF_MANY ? 1e11 : 2e11) + number
  return `01930000-0000-7000-9000-${digits}`
}

/** Fills an empty database. */
export async function seed(space: DatabaseSpace): Promise<void> {
  const database = await openDatabase(space.config, { dataDir: space.dataDir, logger: createLogger('warn') })
  try {
    await migrateDatabase(database)
    const client = database.createClient()
    await client.connect()
    try {
      const restoreIndexes = await dropIndexes(client)
      await insertSessions(client, OWNER_OF_MANY, MANY_SESSIONS)
      await insertSessions(client, OWNER_OF_FEW, FEW_SESSIONS)
      await insertLog(client, LARGE_LOG, LARGE_LOG_ENTRIES, 10)
      await insertLog(client, SMALL_LOG, SMALL_LOG_ENTRIES, 10)
      // All but the first and the last are console messages.
      await insertLog(client, REPLAYED_LOG, REPLAYED_LINES + 2, null)
      await restoreIndexes()
      // Autovacuum handles rows that arrive one by one; these were inserted in bulk.
      await client.query('vacuum analyze')
      await client.query('checkpoint')
    } finally {
      await client.end()
    }
  } finally {
    await database.close()
  }
}

/**
 * Building an index from all rows at once takes a fraction of the time of row-by-row updates. Primary keys are kept.
 */
async function dropIndexes(client: pg.Client): Promise<() => Promise<void>> {
  const { rows } = await client.query<{ name: string; definition: string }>(
    `select indexname as name, indexdef as definition from pg_indexes
     where schemaname = 'public' and indexname not like '%_pkey'`,
  )
  for (const { name } of rows) await client.query(`drop index ${client.escapeIdentifier(name)}`)
  return async () => {
    for (const { definition } of rows) await client.query(definition)
  }
}

const SESSION_COLUMNS = `
  id, owner, name, metadata, status, end_reason, viewport_width, viewport_height, keep_alive, idle_timeout_seconds,
  max_duration_seconds, machine_id, created_at, started_at, last_activity_at, ended_at, current_url, title,
  navigation_count, console_message_count, network_request_count, last_sequence`

async function insertSessions(client: pg.Client, owner: string, count: number): Promise<void> {
  const firstId = idOfSession(owner, 0)
  await client.query(
    `insert into sessions (${SESSION_COLUMNS})
     select ($1 || ($2::bigint + number))::uuid, $3, 'run ' || number,
       jsonb_build_object('branch', 'feature-' || number % 50, 'attempt', number % 3),
       case when number % 20 = 0 then 'FAILED' when number % 7 = 0 then 'TIMED_OUT' else 'CLOSED' end,
       case when number % 20 = 0 then 'BROWSER_CRASHED' when number % 7 = 0 then 'IDLE_TIMEOUT' else 'TERMINATED' end,
       1920, 1080, false, 600, 3600, 'bench',
       created, created + interval '0.1 s', created + interval '9 s', created + interval '10 s',
       'https://shop.example/orders/' || number, 'Order ' || number, 2, 14, 30, 0
     from generate_series(1, $4::int) as number,
       lateral (select to_timestamp(($5::bigint - number * $6::bigint) / 1000.0)) as times (created)`,
    [firstId.slice(0, 24), firstId.slice(24), owner, count, NEWEST_AT, APART_MS],
  )
}

const CONSOLE_MESSAGE = `jsonb_build_object(
  'level', case when number % 25 = 0 then 'WARNING' else 'LOG' end, 'source', 'CONSOLE',
  'text', 'item ' || number || ' of the list was rendered in ' || number % 17 || ' ms',
  'url', 'https://shop.example/assets/app-3f9c2e.js', 'line', 120 + number % 40, 'column', 17,
  'stack', null, 'pageId', 'p1', 'truncated', 0, 'method', case when number % 25 = 0 then 'WARN' else 'LOG' end,
  'groupDepth', 0, 'arguments', 'TEXT', 'argumentsOmitted', 0, 'exceptionId', null)`

const NETWORK_REQUEST = `jsonb_build_object(
  'requestId', number, 'startedAt', 1763800000000 + number, 'url', 'https://shop.example/api/items/' || number,
  'method', 'GET', 'resourceType', 'FETCH', 'status', 200, 'failure', null, 'durationMs', number % 90,
  'requestBytes', 410, 'responseBytes', 1830, 'fromCache', false, 'redirectedFrom', null,
  'requestHeaders', jsonb_build_object('accept', 'application/json', 'user-agent', 'Mozilla/5.0 (X11; Linux x64)'),
  'responseHeaders', jsonb_build_object('content-type', 'application/json', 'cache-control', 'no-store'),
  'statusText', null, 'outcome', 'COMPLETED', 'servedBy', 'NETWORK', 'mimeType', 'application/json', 'protocol', 'h2',
  'priority', 'HIGH', 'isNavigation', false,
  'frame', jsonb_build_object('frameId', 'A5B1C2D3E4F5A6B7C8D9E0F1A2B3C4D5', 'url', 'https://shop.example/'),
  'initiator', jsonb_build_object('type', 'SCRIPT', 'url', 'https://shop.example/app.js', 'line', 12, 'column', 34,
    'stack', '    at load (https://shop.example/app.js:12:34)', 'requestId', null),
  'cookiesSent', '[]'::jsonb, 'cookiesSet', '[]'::jsonb, 'cookiesOmitted', 0,
  'timing', null, 'remoteAddress', '192.0.2.1:443', 'requestBody', null, 'requestBodyOmitted', null,
  'responseBody', null, 'responseBodyOmitted', 'NOT_CAPTURED', 'pageId', 'p1')`

const FILTERED_MEMBERS = `jsonb_build_object(${['url', 'method', 'resourceType', 'status', 'outcome', 'failure']
  .map((name) => `'${name}', data->'${name}'`)
  .join()})`

const statusChange = (to: string) => `jsonb_build_object('from', null, 'to', '${to}', 'endReason', null, 'error', null)`

/** Log of an ended session: requests at a fixed interval, otherwise console messages. */
async function insertLog(client: pg.Client, id: string, entries: number, requestEvery: number | null): Promise<void> {
  const requests = requestEvery === null ? 0 : Math.ceil(entries / requestEvery) - 1
  await client.query(
    `insert into sessions (${SESSION_COLUMNS})
     values ($1, '${LOG_OWNER}', null, '{}', 'CLOSED', 'TERMINATED', 1920, 1080, false, 600, 3600, 'bench',
       now() - interval '2 h', now() - interval '2 h', now() - interval '1 h', now() - interval '1 h',
       'https://shop.example/', 'Shop', 0, $2::int, $3::int, $4::int)`,
    [id, entries - 2 - requests, requests, entries],
  )
  const isRequest = requestEvery === null ? 'false' : `number % ${requestEvery} = 0`
  for (let from = 1; from <= entries; from += ENTRIES_PER_STATEMENT) {
    await client.query(
      `insert into log_entries (session_id, sequence, at, kind, request_id, data, content, bytes, version)
       select $1::uuid, number, at, kind, request_id, case kind when 7 then ${FILTERED_MEMBERS} else data end,
         case kind when 7 then data::json end, octet_length(data::text), ${ENTRY_VERSION}
       from generate_series($2::int, $3::int) as number, lateral (select
         now() - interval '2 h' + number * interval '2 ms' as at,
         case when number in (1, $4::int) then 1 when ${isRequest} then 7 else 6 end as kind,
         case when number not in (1, $4::int) and ${isRequest} then number end as request_id,
         case when number = 1 then ${statusChange('CREATING')} when number = $4::int then ${statusChange('CLOSED')}
           when ${isRequest} then ${NETWORK_REQUEST} else ${CONSOLE_MESSAGE} end as data
       ) as entry`,
      [id, from, Math.min(entries, from + ENTRIES_PER_STATEMENT - 1), entries],
    )
  }
}
