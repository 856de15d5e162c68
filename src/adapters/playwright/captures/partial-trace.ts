import { createReadStream, createWriteStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import yazl from 'yazl'
import { TRACE_EXTENSIONS, TRACE_FOLDERS } from '../library/playwright-files.ts'

/**
 * Makes an archive of what Playwright has written of a trace so far: it gives none away itself once its browser is
 * gone. The events of a trace are lines, so a trace that breaks off can be read up to there.
 */
export async function archiveTrace(tracesDir: string, name: string, path: string): Promise<void> {
  const archive = new yazl.ZipFile()
  const { outputStream } = archive
  archive.on('error', (error: Error) => (outputStream as Readable).destroy(error))
  for (const extension of TRACE_EXTENSIONS) {
    await addAsItIs(archive, join(tracesDir, `${name}.${extension}`), `trace.${extension}`)
  }
  for (const folder of TRACE_FOLDERS) {
    const files = await readdir(join(tracesDir, folder)).catch(() => [])
    for (const file of files) await addAsItIs(archive, join(tracesDir, folder, file), `${folder}/${file}`)
  }
  archive.end()
  await pipeline(outputStream, createWriteStream(path, { mode: 0o600 }))
}

/** Playwright may still be writing the file: what comes after this moment is not read, as the archive counts. */
async function addAsItIs(archive: yazl.ZipFile, file: string, nameInArchive: string): Promise<void> {
  const size = await stat(file).then(
    (stats) => stats.size,
    () => null,
  )
  if (size === null) return
  if (size === 0) archive.addBuffer(Buffer.alloc(0), nameInArchive)
  else {
    archive.addReadStreamLazy(nameInArchive, (ready) => ready(null, createReadStream(file, { end: size - 1 })))
  }
}
