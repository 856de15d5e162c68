import { describe } from 'vitest'
import { openStore } from '../../src/adapters/postgres/store.ts'
import { createLogger } from '../../src/logger.ts'
import { startPostgres } from '../support/databases.ts'
import { describeStore } from './store.contract.ts'

const logger = createLogger('silent')

describe('the store on a PostgreSQL server', () => {
  describeStore(async () => {
    const server = await startPostgres()
    const store = await openStore({ kind: 'server', url: server.url }, { dataDir: '/nonexistent', logger })
    return {
      store,
      close: async () => {
        await store.close()
        await server.close()
      },
    }
  })
})
