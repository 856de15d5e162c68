import { milliseconds, type Benchmark } from './benchmark.ts'
import { hearBare, hearThroughServer } from './logged-lines.ts'
import { compare, interleave } from './measure.ts'

const ROUNDS = 6
const BURST = { count: 10_000, everyMs: 0 }

/** Ten thousand lines at once, until the subscriber has all of them, committed. */
export const consoleBurst: Benchmark = {
  name: 'burst',
  async run({ site, browser, meter, startServer }) {
    const { client } = await startServer()
    const bare = () => meter.during('baseline', async () => (await hearBare(browser, site, BURST)).elapsedMs)
    const served = () => meter.during('measured', async () => (await hearThroughServer(client, site, BURST)).elapsedMs)
    // The first run of either is slower than any later one: code is read and compiled.
    await bare()
    await served()
    const { baseline, measured, ratio, spread } = compare(await interleave(ROUNDS, bare, served))
    return [
      {
        id: 'burst',
        what: '10,000 console.log lines in a burst until the subscriber has all, committed, none missing',
        figure: ratio,
        unit: '×',
        spread,
        must: 1.6,
        aim: 1.25,
        baseline: milliseconds(baseline),
        measured: milliseconds(measured),
      },
    ]
  },
}
