import { expect, test } from 'vitest'
import { DraftQueue } from '../../../src/adapters/playwright/recorders/console/draft-queue.ts'
import type { EntryDraft } from '../../../src/ports/log/log-entry.ts'

const draft = (url: string): EntryDraft => ({ kind: 'PAGE_CLOSED', at: 0, data: { pageId: 'p1', url } })

function queue() {
  const recorded: string[] = []
  const failures: unknown[] = []
  const drafts = new DraftQueue(
    ({ data }) => recorded.push((data as { url: string }).url),
    (error) => failures.push(error),
  )
  return { drafts, recorded, failures }
}

test('what comes behind a draft that is held waits for it', async () => {
  const { drafts, recorded } = queue()
  const { promise, resolve } = Promise.withResolvers<void>()
  let what = 'not read'
  drafts.push(draft('before'))
  drafts.hold(
    () => draft(what),
    promise,
    () => undefined,
  )
  drafts.push(draft('after'))
  expect(recorded).toEqual(['before'])
  what = 'read'
  resolve()
  await drafts.settled()
  expect(recorded).toEqual(['before', 'read', 'after'])
})

test('one that is never ready is made of what there is, and told to give up', async () => {
  const { drafts, recorded } = queue()
  let gaveUp = 0
  drafts.hold(
    () => draft('held'),
    new Promise(() => undefined),
    () => (gaveUp += 1),
  )
  drafts.push(draft('after'))
  await drafts.settled()
  expect({ recorded, gaveUp }).toEqual({ recorded: ['held', 'after'], gaveUp: 1 })
})

test('a burst behind one is not held without end', () => {
  const { drafts, recorded } = queue()
  drafts.hold(
    () => draft('held'),
    new Promise(() => undefined),
    () => undefined,
  )
  for (let index = 0; index < 1_000; index++) drafts.push(draft(`${index}`))
  expect(recorded.slice(0, 3)).toEqual(['held', '0', '1'])
  expect(recorded).toHaveLength(1_001)
})

test('what is thrown while a held draft is made is told, and the others follow', async () => {
  const { drafts, recorded, failures } = queue()
  const { promise, resolve } = Promise.withResolvers<void>()
  drafts.hold(
    () => {
      throw new Error('broken')
    },
    promise,
    () => undefined,
  )
  drafts.push(draft('after'))
  resolve()
  await drafts.settled()
  expect(failures).toEqual([new Error('broken')])
  expect(recorded).toEqual(['after'])
})
