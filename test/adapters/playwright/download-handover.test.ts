import { expect, test, vi } from 'vitest'
import { DownloadHandover } from '../../../src/adapters/playwright/files/download-handover.ts'
import { logger } from './test-pool.ts'

test('a download that ends before it is known where its client looks is there when the client is told', async () => {
  const handover = new DownloadHandover(logger)
  const { promise: finding, resolve } = Promise.withResolvers<{ copy: () => Promise<void> }>()
  const copy = vi.fn(() => Promise.resolve())
  handover.claim('guid', finding)
  handover.claim('guid', Promise.resolve(null))
  const ended = handover.ended('guid', '/downloads/guid', true)
  const reported = handover.isSaved('guid').then((isSaved) => [isSaved, copy.mock.calls])
  resolve({ copy })
  expect(await reported).toEqual([true, [['/downloads/guid', 'guid']]])
  await ended
})
