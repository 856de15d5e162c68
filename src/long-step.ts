/** Between two reports. */
const EVERY_MS = 5_000

/** Reports every few seconds that a startup step is still running, so that it does not look like a hang. */
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
