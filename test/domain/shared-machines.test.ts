import { expect, onTestFinished, test } from 'vitest'
import { InProcessBus } from '../../src/adapters/bus/in-process.ts'
import { SharedMachines } from '../../src/domain/machines/shared-machines.ts'
import { createLogger } from '../../src/logger.ts'
import type { Store } from '../../src/ports/store/store.ts'

test('a machine that has begun to listen since the last look is found', async () => {
  const other = { id: 'other', epoch: 7, address: null as string | null, leftAt: null, isAlive: true, slots: 1 }
  const store = {
    machines: {
      begin: async () => 1,
      renew: async () => true,
      list: async () => [{ ...other }],
      takeExpired: async () => [],
      deleteLeft: async () => {},
      leave: async () => {},
    },
    listLostSessions: async () => [],
  }
  const machines = await SharedMachines.begin({
    store: store as unknown as Store,
    bus: new InProcessBus(),
    logger: createLogger('silent'),
    machineId: 'own',
    version: '1',
    slots: 1,
    partitionSeconds: null,
    onReplaced: () => {},
  })
  onTestFinished(() => machines.close())
  machines.listensAt('http://own.test')
  await expect.poll(() => machines.hasOthers).toBe(true)
  expect(await machines.findAddress('other', 7)).toBeNull()
  other.address = 'http://other.test'
  expect(await machines.findAddress('other', 7)).toBe('http://other.test')
  expect(await machines.findAddress('other', 6)).toBeNull()
})
