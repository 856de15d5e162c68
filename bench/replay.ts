import pg from 'pg'
import { milliseconds, type Benchmark } from './benchmark.ts'
import type { GraphqlClient } from './graphql-client.ts'
import { compare, interleave, timed } from './measure.ts'
import { idOfLog, keyOf, LOG_OWNER, REPLAYED_LINES, REPLAYED_LOG } from './seed.ts'

const ROUNDS = 5

const REPLAY = `subscription ($id: ID!) {
  consoleMessages(sessionId: $id) {
    entries { id sequence at level source text location { url line column } stack pageId truncated }
    cursor live dropped
  }
}`
const SELECT = `select sequence, kind, at, data from log_entries where session_id = $1 order by sequence`

/** Replay of a log of 100,000 entries over WebSocket, compared with a raw SELECT of them through pg, parsed. */
export const replay: Benchmark = {
  name: 'replay',
  async run({ meter, startSeededServer }) {
    const { server, space } = await startSeededServer()
    const client = server.client.withKey(await keyOf(server.client, LOG_OWNER))
    const database = new pg.Client(space.connection())
    await database.connect()
    const raw = () => meter.during('baseline', () => timed(() => selectAll(database)))
    const replayed = () => meter.during('measured', () => timed(() => replayAll(client)))
    await raw()
    await replayed()
    const { baseline, measured, ratio, spread } = compare(await interleave(ROUNDS, raw, replayed))
    await database.end()
    await client.close()
    return [
      {
        id: 'replay',
        what: 'replay of 100,000 entries over WebSocket',
        baseline: milliseconds(baseline),
        measured: milliseconds(measured),
        figure: ratio,
        unit: '×',
        spread,
        must: 2.5,
        aim: 1.7,
      },
    ]
  },
}

async function selectAll(database: pg.Client): Promise<void> {
  const { rows } = await database.query<{ data: { text?: string } }>(SELECT, [REPLAYED_LOG])
  const lines = rows.filter(({ data }) => typeof data.text === 'string')
  if (lines.length !== REPLAYED_LINES) throw new Error(`${lines.length} lines were selected`)
}

async function replayAll(client: GraphqlClient): Promise<void> {
  let lines = 0
  let last = 0
  const batches = client.subscribe<{ consoleMessages: { entries: { sequence: number; text: string }[] } }>(REPLAY, {
    id: idOfLog(REPLAYED_LOG),
  })
  for await (const { consoleMessages } of batches) {
    for (const { sequence } of consoleMessages.entries) {
      if (sequence <= last) throw new Error(`sequence ${sequence} came after ${last}`)
      last = sequence
      lines += 1
    }
  }
  if (lines !== REPLAYED_LINES) throw new Error(`${lines} lines were replayed`)
}
