import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import WebSocket from 'ws'
import { megabytes, milliseconds, type Benchmark, type Finding } from './benchmark.ts'
import type { GraphqlClient } from './graphql-client.ts'
import { median, percentile, timed } from './measure.ts'
import { proportionalMegabytes } from './process-memory.ts'
import { idOfLog, keyOf, LOG_OWNER, OWNER_OF_FEW, REPLAYED_LOG } from './seed.ts'
import type { ServerProcess } from './server-process.ts'

const ROUNDS = 3
const SOCKETS = 20
const SUBSCRIPTIONS = 100
const QUESTIONS = 100
/** How long they stall; an unanswered ping would end them later. */
const STANDING_MS = 5_000

const WATCH = `subscription ($id: ID!) { consoleMessages(sessionId: $id) { entries { id text location { url } at } cursor } }`
const LIST = '{ sessions(first: 10, includeTerminated: true) { nodes { id name status } } }'

/**
 * Cost of readers that stop reading: memory, and the latency of another owner while they stall and after they have
 * left.
 */
export const slowReaders: Benchmark = {
  name: 'slow-readers',
  async run({ meter, startSeededServer }) {
    const { server } = await startSeededServer()
    const key = await keyOf(server.client, LOG_OWNER)
    const other = server.client.withKey(await keyOf(server.client, OWNER_OF_FEW))
    const rounds: Round[] = []
    await askInTurn(other)
    for (let round = 0; round < ROUNDS; round += 1) {
      const quiet = await meter.during('baseline', () => askInTurn(other))
      rounds.push(await meter.during('measured', () => besideSlowReaders(server, key, other, quiet)))
    }
    await other.close()
    const grown = rounds.map(({ grownMegabytes }) => grownMegabytes)
    return [
      {
        id: 'slow-readers-memory',
        what: `memory that ${SOCKETS} sockets of ${SUBSCRIPTIONS} subscriptions take that stop reading, at most`,
        baseline: `${megabytes(median(rounds.map(({ before }) => before)))} without`,
        measured: megabytes(median(rounds.map(({ before, grownMegabytes }) => before + grownMegabytes))),
        figure: median(grown),
        unit: 'MB',
        must: 1000,
        aim: 300,
        spread: [Math.min(...grown), Math.max(...grown)],
      },
      latencyFinding('while', 'while they stand', rounds, (round) => round.standing),
      latencyFinding('after', 'once they have left', rounds, (round) => round.left),
    ]
  },
}

interface Round {
  before: number
  grownMegabytes: number
  /**
   * Latencies of another owner's queries in milliseconds: without readers, while they stall, after they have left.
   */
  quiet: number[]
  standing: number[]
  left: number[]
}

function latencyFinding(id: string, when: string, rounds: readonly Round[], of: (round: Round) => number[]): Finding {
  const p95 = (samples: readonly number[]) => percentile(samples, 0.95)
  const baseline = p95(rounds.flatMap(({ quiet }) => quiet))
  const measured = p95(rounds.flatMap(of))
  const ratios = rounds.map((round) => p95(of(round)) / p95(round.quiet))
  return {
    id: `slow-readers-${id}`,
    what: `p95 of a list of sessions of another owner ${when}, against itself, quiet`,
    baseline: milliseconds(baseline),
    measured: milliseconds(measured),
    figure: measured / baseline,
    unit: '×',
    must: 5,
    aim: 2,
    spread: [Math.min(...ratios), Math.max(...ratios)],
  }
}

async function besideSlowReaders(
  server: ServerProcess,
  key: string,
  other: GraphqlClient,
  quiet: number[],
): Promise<Round> {
  await server.collect()
  const before = proportionalMegabytes(server.pid)
  let most = before
  const watching = setInterval(() => (most = Math.max(most, proportionalMegabytes(server.pid))), 100)
  try {
    const sockets = await Promise.all(Array.from({ length: SOCKETS }, () => openSlowReader(server.url, key)))
    const standing = await askInTurn(other, STANDING_MS / QUESTIONS)
    for (const socket of sockets) socket.terminate()
    const left = await askInTurn(other)
    return { before, grownMegabytes: most - before, quiet, standing, left }
  } finally {
    clearInterval(watching)
  }
}

/** A socket with many subscriptions to a long log that is never read again. */
async function openSlowReader(url: string, key: string): Promise<WebSocket> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws')
  // It is disconnected eventually, by either side.
  socket.on('error', () => {})
  await once(socket, 'open')
  socket.send(JSON.stringify({ type: 'connection_init', payload: { 'X-API-Key': key } }))
  await once(socket, 'message')
  socket.pause()
  const payload = { query: WATCH, variables: { id: idOfLog(REPLAYED_LOG) } }
  for (let id = 0; id < SUBSCRIPTIONS; id += 1) {
    socket.send(JSON.stringify({ type: 'subscribe', id: String(id), payload }))
  }
  return socket
}

async function askInTurn(client: GraphqlClient, everyMs = 0): Promise<number[]> {
  const samples: number[] = []
  for (let count = 0; count < QUESTIONS; count += 1) {
    samples.push(await timed(() => client.query(LIST)))
    if (everyMs > 0) await pause(everyMs)
  }
  return samples
}
