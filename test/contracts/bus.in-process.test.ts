import { InProcessBus } from '../../src/adapters/bus/in-process.ts'
import { describeBus } from './bus.contract.ts'

describeBus('of one process', async () => {
  const bus = new InProcessBus()
  return [bus, bus]
})
