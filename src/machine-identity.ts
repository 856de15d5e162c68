import { randomUUID } from 'node:crypto'
import { lstatSync } from 'node:fs'
import { readFile, realpath, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { takeKernelLock } from './data-directory-lock.ts'
import { keepOnce, writeWhole } from './durable-file.ts'

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Which installation a process is: sessions, browsers and orphans belong to a machine id. */
export interface MachineIdentity {
  readonly machineId: string
  /** The machine id of the directory that this one was copied from; null: it is no copy. */
  readonly copiedFrom: CopiedFrom | null
  /** Other processes may be this machine from now on. Idempotent. */
  readonly release: () => Promise<void>
}

export interface CopiedFrom {
  readonly machineId: string
  /** A server of that directory runs: nothing that has its machine id is an orphan. */
  readonly isAlive: boolean
  /** Until it is called, no server starts under that machine id. */
  readonly release: () => Promise<void>
}

/** Which directory a machine id was made for. */
interface Place {
  machineId: string
  device: number
  inode: number
  path: string
  copiedFrom: string | null
}

/**
 * The identity that a locked data directory gives to this process. The machine id lies in the directory, so a copy has
 * it as well, and a server of the copy would take the sessions and browsers of the first one for its own leftovers. A
 * directory that is a copy therefore gets a machine id of its own; one that was moved or restored keeps its id. It is a
 * copy when
 *
 * - a process that runs has the machine id: the kernel keeps its lock, as that of the directory; or
 * - it is not where its id was made for, and the directory that is there has the same id.
 */
export async function identifyMachine(directory: string): Promise<MachineIdentity> {
  const idFile = join(directory, 'machine-id')
  const kept = await keepOnce(idFile, UUID, () => randomUUID())
  const here = await placeOf(directory)
  const known = await readPlace(directory)
  const note = (machineId: string, copiedFrom: string | null) =>
    writeWhole(placeFile(directory), JSON.stringify({ machineId, ...here, copiedFrom } satisfies Place))

  const lock = lockMachine(kept)
  const place = known?.machineId === kept ? known : null
  if (lock !== 'held' && !(place && (await isCopy(place, here, kept)))) {
    await note(kept, place?.copiedFrom ?? null)
    const former = place?.copiedFrom ? formerOf(place.copiedFrom) : null
    return { machineId: kept, copiedFrom: former, release: releaseAll(lock, former) }
  }
  if (lock !== 'held') await lock?.release()
  const machineId = randomUUID()
  // In this order: with a new id and an old note, the directory is taken as it is.
  await writeWhole(idFile, machineId)
  await note(machineId, kept)
  const own = lockMachine(machineId)
  const former = formerOf(kept)
  return { machineId, copiedFrom: former, release: releaseAll(own === 'held' ? null : own, former) }
}

interface MachineLock {
  release(): Promise<void>
}

function formerOf(machineId: string): CopiedFrom {
  const lock = lockMachine(machineId)
  const release = async () => {
    if (lock !== 'held') await lock?.release()
  }
  return { machineId, isAlive: lock === 'held', release }
}

const releaseAll = (lock: MachineLock | null, former: CopiedFrom | null) => async () => {
  await former?.release()
  await lock?.release()
}

/** Null: it cannot be told whether the machine id is in use. */
function lockMachine(machineId: string): MachineLock | 'held' | null {
  const file = join(tmpdir(), `tabwire-${machineId}.lock`)
  try {
    // The folder is everybody's: what somebody else put there is not ours to open.
    const stats = lstatSync(file, { throwIfNoEntry: false })
    if (stats && (!stats.isFile() || (process.getuid && stats.uid !== process.getuid()))) return null
    const lock = takeKernelLock(file)
    if (!lock) return 'held'
    let released: Promise<void> | undefined
    const release = async () => {
      try {
        await rm(file, { force: true })
      } finally {
        lock.close()
      }
    }
    return { release: () => (released ??= release()) }
  } catch {
    return null
  }
}

async function isCopy(known: Place, here: Omit<Place, 'machineId' | 'copiedFrom'>, machineId: string) {
  const isSame = known.inode === here.inode && known.device === here.device
  if (isSame || known.path === here.path) return false
  // Moved or restored, unless the directory of old is still there.
  const there = await readFile(join(known.path, 'machine-id'), 'utf8').catch(() => '')
  return there.trim() === machineId
}

async function placeOf(directory: string): Promise<Omit<Place, 'machineId' | 'copiedFrom'>> {
  const { dev: device, ino: inode } = await stat(directory)
  return { device, inode, path: await realpath(directory) }
}

const placeFile = (directory: string) => join(directory, 'machine-place')

/** Null: there is none, or it is spoilt; then it is made anew. */
async function readPlace(directory: string): Promise<Place | null> {
  try {
    const place = JSON.parse(await readFile(placeFile(directory), 'utf8')) as Partial<Place>
    const { machineId, device, inode, path, copiedFrom = null } = place
    if (typeof machineId !== 'string' || typeof path !== 'string') return null
    if (typeof device !== 'number' || typeof inode !== 'number') return null
    return { machineId, device, inode, path, copiedFrom: UUID.test(copiedFrom ?? '') ? copiedFrom : null }
  } catch {
    return null
  }
}
