import { createHash } from 'node:crypto'
import { appendFileSync, cpSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { openStore } from '../../src/adapters/postgres/store.ts'
import { createLogger } from '../../src/logger.ts'

const root = join(import.meta.dirname, '..', '..')

/**
 * At each start the embedded database fills all of its buffers with zeros, one byte after the other: with the usual
 * 128 MB a start takes 2.6 instead of 1.6 s of CPU, and tests have little data. What it has not put on the disk is
 * lost with the power alone, not with the process.
 */
const SETTINGS = '\nshared_buffers = 8MB\nfsync = off\nfull_page_writes = off\n'
/** Later settings are those in force. */
const DURABLE = '\nfsync = on\nfull_page_writes = on\n'

/** Of template1 and template0: two of three files, and nobody connects to them. */
const UNUSED = ['base/1', 'base/4']

/** Hash of the versions and files that determine a fresh embedded database. */
function templateKey(): string {
  const hash = createHash('sha256').update([SETTINGS, ...UNUSED].join())
  hash.update(readFileSync(join(root, 'node_modules/@electric-sql/pglite/package.json')))
  hash.update(readFileSync(join(root, 'src/adapters/postgres/embedded/embedded-worker.ts')))
  for (const name of readdirSync(join(root, 'drizzle'))
    .filter((file) => file.endsWith('.sql'))
    .sort()) {
    hash.update(readFileSync(join(root, 'drizzle', name)))
  }
  return hash.digest('hex').slice(0, 16)
}

/**
 * Machine code of the embedded database. V8 shares compiled and optimized code among all threads of a process for as
 * long as it is referenced, so the second database of a process costs half as much as the first.
 */
let code: Promise<WebAssembly.Module> | undefined

/**
 * Puts a fresh, migrated embedded database into a data directory. Creating one takes seconds of CPU time, copying one
 * a fraction of a second; the first test creates it for all later ones. `isDurable`: it waits for the disk as that of a
 * server does, for tests of the database itself.
 */
export async function seedEmbeddedDatabase(dataDir: string, { isDurable = false } = {}): Promise<void> {
  code ??= readFile(join(root, 'node_modules/@electric-sql/pglite/dist/pglite.wasm')).then((bytes) =>
    WebAssembly.compile(bytes),
  )
  await code
  const template = join(tmpdir(), `tabwire-template-${userInfo().uid}-${templateKey()}`)
  if (!existsSync(template)) {
    const making = await mkdtemp(join(tmpdir(), 'tabwire-making-'))
    const store = await openStore({ kind: 'embedded' }, { dataDir: making, logger: createLogger('silent') })
    await store.close()
    appendFileSync(join(making, 'database', 'postgresql.conf'), SETTINGS)
    for (const path of UNUSED) await rm(join(making, 'database', path), { recursive: true })
    // The loser of a race uses the winner's.
    await rename(join(making, 'database'), template).catch((error: unknown) => {
      if (!existsSync(template)) throw error
    })
    await rm(making, { recursive: true, force: true })
  }
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const database = join(dataDir, 'database')
  // Hundreds of files: copying them asynchronously, one by one, takes ten times the CPU time.
  cpSync(template, database, { recursive: true })
  if (isDurable) appendFileSync(join(database, 'postgresql.conf'), DURABLE)
}
