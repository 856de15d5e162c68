/** The percentile of the samples for the given share. */
export function percentile(samples: readonly number[], share: number): number {
  if (samples.length === 0) throw new Error('there is no percentile of nothing')
  const sorted = samples.toSorted((one, other) => one - other)
  const position = (sorted.length - 1) * share
  const below = sorted[Math.floor(position)]!
  const above = sorted[Math.ceil(position)]!
  return below + (above - below) * (position - Math.floor(position))
}

export const median = (samples: readonly number[]): number => percentile(samples, 0.5)

/** Slope of the least-squares line through the points. */
export function slope(points: readonly { x: number; y: number }[]): number {
  const mean = (read: (point: { x: number; y: number }) => number) =>
    points.reduce((sum, point) => sum + read(point), 0) / points.length
  const meanX = mean(({ x }) => x)
  const meanY = mean(({ y }) => y)
  const covariance = mean(({ x, y }) => (x - meanX) * (y - meanY))
  return covariance / mean(({ x }) => (x - meanX) ** 2)
}

/** Duration of the work in milliseconds. */
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
 * Runs both alternately, ABBA, and returns the results of each run: other load on the machine then affects both
 * alike.
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
  /** Ratio of the medians. */
  ratio: number
  /** Minimum and maximum ratio of a round. */
  spread: [number, number]
}

/** Medians of both, their ratio, and its variation between `groups` parts of the run. */
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
