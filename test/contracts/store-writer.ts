import { openStore } from '../../src/adapters/postgres/store.ts'
import { createLogger } from '../../src/logger.ts'
import { consoleMessage, numbered, sampleSession } from './store-samples.ts'

// A process that appends as fast as it can and reports each sequence once it is committed, until it is killed.
const dataDir = process.argv[2]!
const store = await openStore({ kind: 'embedded' }, { dataDir, logger: createLogger('silent') })
const session = sampleSession()
await store.insertSession(session, [])
process.stdout.write(`${session.id}\n`)
for (let last = 0; ; last += 3) {
  const drafts = [consoleMessage('a'), consoleMessage('b'), consoleMessage(`${last}`)]
  await store.append(session.id, last, numbered(drafts, last))
  process.stdout.write(`${last + 3}\n`)
}
