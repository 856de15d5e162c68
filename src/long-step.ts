/** Between two reports. */
const EVERY_MS = 5_000

/** Reports every few seconds that a step of the start is not done yet, so that nobody takes waiting for hanging. */
export async function longStep<T>(what: string, work: Promise<T>, say: (line: string) => void): Promise<T> {
  const startedAt = performance.now()
  const timer = setInterval(() => {
    say(`Still ${what} (${Math.round((performance.now() - startedAt) / 1000)} s)`)
  }, EVERY_MS)
  try {
    return await work
  } finally {
    clearInterval(timer)
  }
}
