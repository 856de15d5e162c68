import { milliseconds, type Benchmark, type Finding } from './benchmark.ts'
import type { LinesWanted } from './local-site.ts'
import { receiveBare, receiveThroughServer } from './logged-lines.ts'
import { compare, interleave } from './measure.ts'

const ROUNDS = 6
const TEXTS: LinesWanted = { count: 10_000, everyMs: 0 }
const OBJECTS: LinesWanted = { ...TEXTS, logs: 'objects' }

/** Ten thousand lines in a burst, until the subscriber has received all of them, committed. */
export const consoleBurst: Benchmark = {
  name: 'burst',
  async run({ site, browser, meter, startServer }) {
    const { client } = await startServer()
    const measure = async (wanted: LinesWanted, finding: Pick<Finding, 'id' | 'what' | 'must' | 'aim'>) => {
      const bare = () => meter.during('baseline', async () => (await receiveBare(browser, site, wanted)).elapsedMs)
      const served = () =>
        meter.during('measured', async () => (await receiveThroughServer(client, site, wanted)).elapsedMs)
      // The first run of either is slower than any later one: code is loaded and compiled.
      await bare()
      await served()
      const { baseline, measured, ratio, spread } = compare(await interleave(ROUNDS, bare, served))
      const times = { baseline: milliseconds(baseline), measured: milliseconds(measured) }
      return { ...finding, figure: ratio, unit: '×' as const, spread, ...times }
    }
    return [
      await measure(TEXTS, {
        id: 'burst',
        what: '10,000 console.log lines in a burst until the subscriber has all, committed, none missing',
        must: 0.5,
        aim: 0.4,
      }),
      await measure(OBJECTS, {
        id: 'burst-objects',
        what: '10,000 lines of console.log({…}) with their previews, against a bare listener that calls jsonValue() on each',
        must: 0.6,
        aim: 0.4,
      }),
    ]
  },
}
