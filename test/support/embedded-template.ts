import { createHash } from 'node:crypto'
import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { openStore } from '../../src/adapters/postgres/store.ts'
import { createLogger } from '../../src/logger.ts'

const root = join(import.meta.dirname, '..', '..')

/** Of the versions and files that decide what a fresh embedded database looks like. */
function templateKey(): string {
  const hash = createHash('sha256')
  hash.update(readFileSync(join(root, 'node_modules/@electric-sql/pglite/package.json')))
  hash.update(readFileSync(join(root, 'src/adapters/postgres/embedded-worker.ts')))
  for (const name of readdirSync(join(root, 'drizzle'))
    .filter((file) => file.endsWith('.sql'))
    .sort()) {
    hash.update(readFileSync(join(root, 'drizzle', name)))
  }
  return hash.digest('hex').slice(0, 16)
}

/**
 * The embedded database's machine code. V8 shares what it has compiled and optimized among all threads of a process, for
 * as long as anyone holds it: so the second database of a process costs half as much as the first.
 */
let code: Promise<WebAssembly.Module> | undefined

/**
 * Puts a fresh, migrated embedded database into a data directory. To make one takes seconds of processor time, to copy
 * one that was made before a fraction of one; the first test that asks makes it for all later ones.
 */
export async function seedEmbeddedDatabase(dataDir: string): Promise<void> {
  code ??= readFile(join(root, 'node_modules/@electric-sql/pglite/dist/pglite.wasm')).then((bytes) =>
    WebAssembly.compile(bytes),
  )
  await code
  const template = join(tmpdir(), `tabwire-template-${userInfo().uid}-${templateKey()}`)
  if (!existsSync(template)) {
    const making = await mkdtemp(join(tmpdir(), 'tabwire-making-'))
    const store = await openStore({ kind: 'embedded' }, { dataDir: making, logger: createLogger('silent') })
    await store.close()
    // Whoever comes second keeps what the first has made.
    await rename(join(making, 'database'), template).catch((error: unknown) => {
      if (!existsSync(template)) throw error
    })
    await rm(making, { recursive: true, force: true })
  }
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  // A thousand files: one by one and asynchronously, that takes ten times the processor time.
  cpSync(template, join(dataDir, 'database'), { recursive: true })
}
