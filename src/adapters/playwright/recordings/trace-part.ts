import { createWriteStream, existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import yazl from 'yazl'

/** Folders of a trace, as the trace viewer expects them in the archive. */
const FOLDERS = ['resources', 'screencast', 'aria', 'screenshots']

/**
 * Makes an archive of what Playwright has written of a trace so far: it gives none away itself once its browser is
 * gone. The events of a trace are lines, so a trace that breaks off can be read up to there.
 */
export async function archiveTrace(tracesDir: string, name: string, path: string): Promise<void> {
  const archive = new yazl.ZipFile()
  for (const extension of ['trace', 'network', 'stacks']) {
    const file = join(tracesDir, `${name}.${extension}`)
    if (existsSync(file)) archive.addFile(file, `trace.${extension}`)
  }
  for (const folder of FOLDERS) {
    const files = await readdir(join(tracesDir, folder)).catch(() => [])
    for (const file of files) archive.addFile(join(tracesDir, folder, file), `${folder}/${file}`)
  }
  archive.end()
  await pipeline(archive.outputStream, createWriteStream(path, { mode: 0o600 }))
}
