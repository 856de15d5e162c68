import { pino } from 'pino'
import { afterEach, expect, test } from 'vitest'
import { FreeSpace } from '../../src/domain/artifacts/free-space.ts'

const MARKS = { lowBytes: 30, enoughBytes: 50, reservedBytes: 10, untouchedBytes: 5 }
let space: FreeSpace
afterEach(() => space.close())

test('sessions stop below one mark and start again at another, and files and logs have marks of their own', async () => {
  let free = 100
  const logged: string[] = []
  const logger = pino({}, { write: (line: string) => void logged.push((JSON.parse(line) as { msg: string }).msg) })
  space = new FreeSpace(() => Promise.resolve(free), logger, MARKS)
  const at = async (bytes: number) => {
    free = bytes
    await space.look()
    const starts = await space.requireSpace().then(
      () => true,
      (error: unknown) => (error as { code: string }).code,
    )
    return [starts, await space.spaceForFiles(), await space.hasSpaceForLogs()]
  }
  expect(await at(100)).toEqual([true, 70, true])
  expect(await at(30)).toEqual([true, 0, true])
  expect(await at(29)).toEqual(['STORAGE_FULL', 0, true])
  expect(await at(49)).toEqual(['STORAGE_FULL', 19, true])
  expect(await at(9)).toEqual(['STORAGE_FULL', 0, false])
  expect(await space.hasSpaceForLogs(true)).toBe(true)
  expect(await at(4)).toEqual(['STORAGE_FULL', 0, false])
  expect(await space.hasSpaceForLogs(true)).toBe(false)
  expect(await at(50)).toEqual([true, 20, true])
  expect(await at(31)).toEqual([true, 1, true])
  expect(logged).toEqual([
    'the disk is almost full: no session starts until space is freed',
    'the disk has space again: sessions can start',
  ])
})

test('a directory that cannot be looked at stops nothing', async () => {
  space = new FreeSpace(() => Promise.reject(new Error('gone')), pino({ level: 'silent' }), MARKS)
  await space.look()
  await space.requireSpace()
  expect([space.problem, space.hasSpaceForLogs()]).toEqual([null, true])
})
