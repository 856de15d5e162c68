import { createReadStream, createWriteStream, existsSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import yazl from 'yazl'
import { NETWORK_EXTENSION, TRACE_EXTENSIONS, TRACE_FOLDERS } from '../library/playwright-files.ts'
import type { AuthorizationRedaction } from './authorization-redaction.ts'
import { linesOf } from './json-lines.ts'

/**
 * Creates an archive of the parts of a trace that Playwright has written so far; Playwright itself provides none once
 * its browser is gone. The events of a trace are lines, so a truncated trace can be read up to there.
 */
export async function archiveTrace(
  tracesDir: string,
  name: string,
  path: string,
  redaction: AuthorizationRedaction | null,
): Promise<void> {
  const archive = new yazl.ZipFile()
  const { outputStream } = archive
  archive.on('error', (error: Error) => (outputStream as Readable).destroy(error))
  for (const extension of TRACE_EXTENSIONS) {
    const file = join(tracesDir, `${name}.${extension}`)
    if (redaction && extension === NETWORK_EXTENSION) addRedacted(archive, file, `trace.${extension}`, redaction)
    else await addAsItIs(archive, file, `trace.${extension}`)
  }
  for (const folder of TRACE_FOLDERS) {
    const files = await readdir(join(tracesDir, folder)).catch(() => [])
    for (const file of files) await addAsItIs(archive, join(tracesDir, folder, file), `${folder}/${file}`)
  }
  archive.end()
  await pipeline(outputStream, createWriteStream(path, { mode: 0o600 }))
}

function addRedacted(
  archive: yazl.ZipFile,
  file: string,
  nameInArchive: string,
  redaction: AuthorizationRedaction,
): void {
  if (!existsSync(file)) return
  const lines = async function* () {
    for await (const line of linesOf(file)) {
      const kept = redaction.lineOfTrace(line)
      if (kept !== null) yield `${kept}\n`
    }
  }
  archive.addReadStreamLazy(nameInArchive, (ready) => ready(null, Readable.from(lines())))
}

/** Playwright may still be writing the file: later bytes are not read, as the archive declares the current size. */
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
