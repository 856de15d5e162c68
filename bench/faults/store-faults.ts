import { existsSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { eventually } from './eventually.ts'
import type { Fault } from './fault.ts'
import { RECOVERY_MS, type Stage } from './stage.ts'

const AWAY_MS = 5_000
const SLOW_MS = 5_000
const FULL_MS = 8_000
/** Free disk space that remains: less than a few seconds of log. */
const LEFT_BYTES = 300_000

const ofPostgres = { on: ['postgres'] as const, sparesNeighbor: false, isShort: false }

const CODES = ['DATABASE_UNAVAILABLE', 'STORAGE_FULL']

/** Null if the API reports the problem within a few seconds. */
async function expectPlainRefusal(stage: Stage): Promise<void> {
  const response = await fetch(`${stage.server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': stage.server.apiKey },
    body: JSON.stringify({ query: 'mutation { startSession { id } }' }),
    signal: AbortSignal.timeout(40_000),
  })
  const { errors } = (await response.json()) as { errors?: { extensions?: { code?: string } }[] }
  const code = errors?.[0]?.extensions?.code
  if (code !== undefined && !CODES.includes(code)) throw new Error(`the API says ${code}`)
}

async function notReady(stage: Stage): Promise<void> {
  await eventually('/ready says so', RECOVERY_MS, async () => !(await stage.server.isReady()))
}

/** Writes as much as fits, since the log grows at the same time. */
function fill(path: string, bytes: number): void {
  try {
    writeFileSync(path, Buffer.alloc(bytes, 1))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}

export const STORE_FAULTS: readonly Fault[] = [
  {
    ...ofPostgres,
    isShort: true,
    name: 'database: away for 5 s',
    async run(stage) {
      const { id } = await stage.victim('/ticks')
      stage.database!.network.become('cut')
      try {
        await Promise.all([notReady(stage), pause(AWAY_MS)])
        await expectPlainRefusal(stage)
      } finally {
        stage.database!.network.become('open')
      }
      const { status } = await eventually('it answers again', RECOVERY_MS, () => stage.state(id).catch(() => null))
      if (status !== 'RUNNING') throw new Error(`a session is ${status}`)
    },
  },
  {
    ...ofPostgres,
    name: 'database: each answer 300 ms late',
    async run(stage) {
      await stage.victim('/console-flood')
      stage.database!.network.become('slow')
      try {
        await pause(SLOW_MS)
        if (!(await stage.server.isHealthy())) throw new Error('/health does not answer')
      } finally {
        stage.database!.network.become('open')
      }
    },
  },
  {
    ...ofPostgres,
    name: 'database: all connections ended by an operator',
    async run(stage) {
      await stage.victim('/console-flood')
      await stage.database!.endBackends()
      await pause(1_000)
      await stage.database!.endBackends()
    },
  },
  {
    ...ofPostgres,
    name: 'database: read-only',
    async run(stage) {
      const { id } = await stage.victim('/ticks')
      await stage.database!.setReadOnly(true)
      try {
        await notReady(stage)
        await expectPlainRefusal(stage)
      } finally {
        await stage.database!.setReadOnly(false)
      }
      const { status } = await stage.state(id)
      if (status !== 'RUNNING') throw new Error(`a session is ${status}`)
    },
  },
  {
    on: ['embedded'],
    sparesNeighbor: false,
    isShort: true,
    name: 'disk: full for 8 s',
    cannot: ({ smallDisk }) => (smallDisk === null ? 'no small file system can be mounted here' : null),
    async run(stage) {
      const disk = stage.smallDisk!
      const ballast = join(disk, 'ballast')
      const { id } = await stage.victim('/console-flood')
      const free = () => {
        const { bavail, bsize } = statfsSync(disk)
        return bavail * bsize
      }
      try {
        fill(ballast, Math.max(0, free() - LEFT_BYTES))
        await Promise.all([notReady(stage), pause(FULL_MS)])
        await expectPlainRefusal(stage)
      } finally {
        if (existsSync(ballast)) rmSync(ballast)
      }
      await eventually('it is ready again', RECOVERY_MS, () => stage.server.isReady())
      const { status } = await stage.state(id)
      if (status !== 'RUNNING') throw new Error(`a session is ${status}`)
    },
  },
]
