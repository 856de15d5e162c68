/** The value below which the given share of the samples lies. */
export function percentile(samples: readonly number[], share: number): number {
  if (samples.length === 0) throw new Error('there is no percentile of nothing')
  const sorted = samples.toSorted((one, other) => one - other)
  const position = (sorted.length - 1) * share
  const below = sorted[Math.floor(position)]!
  const above = sorted[Math.ceil(position)]!
  return below + (above - below) * (position - Math.floor(position))
}

export const median = (samples: readonly number[]): number => percentile(samples, 0.5)

/** Slope of the straight line that lies nearest to the points. */
export function slope(points: readonly { x: number; y: number }[]): number {
  const mean = (read: (point: { x: number; y: number }) => number) =>
    points.reduce((sum, point) => sum + read(point), 0) / points.length
  const meanX = mean(({ x }) => x)
  const meanY = mean(({ y }) => y)
  const covariance = mean(({ x, y }) => (x - meanX) * (y - meanY))
  return covariance / mean(({ x }) => (x - meanX) ** 2)
}

/** Milliseconds that the work took. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

export interface Pair {
  baseline: number
  measured: number
}

/**
 * Runs both in turn, ABBA, and returns what each run of both measured: whatever else the machine does meanwhile then
 * falls on both alike.
 */
export async function interleave(
  rounds: number,
  baseline: (round: number) => Promise<number>,
  measured: (round: number) => Promise<number>,
): Promise<Pair[]> {
  const pairs: Pair[] = []
  for (let round = 0; round < rounds; round += 1) {
    if (round % 2 === 0) {
      const first = await baseline(round)
      pairs.push({ baseline: first, measured: await measured(round) })
    } else {
      const first = await measured(round)
      pairs.push({ baseline: await baseline(round), measured: first })
    }
  }
  return pairs
}

export interface Comparison {
  baseline: number
  measured: number
  /** Of the medians. */
  ratio: number
  /** Least and greatest ratio of one round. */
  spread: [number, number]
}

/** Medians of both, their ratio, and how it varied between `groups` parts of the run. */
export function compare(pairs: readonly Pair[], groups: number = pairs.length): Comparison {
  const medians = (part: readonly Pair[]) => ({
    baseline: median(part.map((pair) => pair.baseline)),
    measured: median(part.map((pair) => pair.measured)),
  })
  const size = Math.ceil(pairs.length / groups)
  const ratios = Array.from({ length: groups }, (_, index) => pairs.slice(index * size, (index + 1) * size))
    .filter((part) => part.length > 0)
    .map((part) => medians(part))
    .map(({ baseline, measured }) => measured / baseline)
  const whole = medians(pairs)
  return { ...whole, ratio: whole.measured / whole.baseline, spread: [Math.min(...ratios), Math.max(...ratios)] }
}
