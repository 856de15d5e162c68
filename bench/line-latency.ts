import { milliseconds, type Benchmark, type Finding } from './benchmark.ts'
import { receiveBare, receiveThroughServer } from './logged-lines.ts'
import { percentile } from './measure.ts'

const ROUNDS = 4
/** Four seconds of a hundred lines a second. */
const TRICKLE = { count: 400, everyMs: 10 }

/** Latency from page to subscriber at 100 lines a second, compared with a bare listener. */
export const lineLatency: Benchmark = {
  name: 'latency',
  async run({ site, browser, meter, startServer }) {
    const { client } = await startServer()
    await receiveThroughServer(client, site, { count: 100, everyMs: 5 })
    await receiveBare(browser, site, { count: 100, everyMs: 5 })
    const bare: number[][] = []
    const served: number[][] = []
    for (let round = 0; round < ROUNDS; round += 1) {
      const receive = [
        async () =>
          bare.push(await meter.during('baseline', async () => (await receiveBare(browser, site, TRICKLE)).delaysMs)),
        async () =>
          served.push(
            await meter.during('measured', async () => (await receiveThroughServer(client, site, TRICKLE)).delaysMs),
          ),
      ]
      for (const listen of round % 2 === 0 ? receive : receive.toReversed()) await listen()
    }
    return [
      { share: 0.5, must: 2, aim: 1 },
      { share: 0.99, must: 10, aim: 5 },
    ].map(({ share, must, aim }): Finding => {
      const baseline = percentile(bare.flat(), share)
      const measured = percentile(served.flat(), share)
      const differences = bare.map((round, index) => percentile(served[index]!, share) - percentile(round, share))
      return {
        id: `latency-p${share * 100}`,
        what: `one line at 100/s: page → subscriber, p${share * 100}`,
        baseline: milliseconds(baseline),
        measured: milliseconds(measured),
        figure: measured - baseline,
        unit: 'ms more',
        must,
        aim,
        spread: [Math.min(...differences), Math.max(...differences)],
      }
    })
  },
}
