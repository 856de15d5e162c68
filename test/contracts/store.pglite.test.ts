import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe } from 'vitest'
import { openStore } from '../../src/adapters/postgres/store.ts'
import { createLogger } from '../../src/logger.ts'
import { describeStore } from './store.contract.ts'

const logger = createLogger('silent')

describe('the store on the embedded database', () => {
  describeStore(async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'tw-store-'))
    const store = await openStore({ kind: 'embedded' }, { dataDir, logger })
    return {
      store,
      close: async () => {
        await store.close()
        await rm(dataDir, { recursive: true })
      },
    }
  })
})
