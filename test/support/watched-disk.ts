import { randomUUID } from 'node:crypto'
import { open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

type Handle = Awaited<ReturnType<typeof open>>

export interface WatchedDisk {
  /** Bytes written by this process through a FileHandle since the start. */
  written: number
  /** Remaining bytes before writes fail as on a full disk: a real disk must not be filled where tests run. */
  space: number
  close(): void
}

export async function watchDisk(): Promise<WatchedDisk> {
  const path = join(tmpdir(), `tw-watch-${randomUUID()}`)
  const probe = await open(path, 'w')
  const prototype = Object.getPrototypeOf(probe) as Pick<Handle, 'writeFile'>
  await probe.close()
  await rm(path)
  const real = prototype.writeFile
  const disk: WatchedDisk = {
    written: 0,
    space: Number.POSITIVE_INFINITY,
    close() {
      prototype.writeFile = real
    },
  }
  prototype.writeFile = async function (this: Handle, ...args) {
    const size = Buffer.byteLength(args[0] as Uint8Array)
    if (size > disk.space) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
    disk.space -= size
    await real.apply(this, args)
    disk.written += size
  }
  return disk
}
