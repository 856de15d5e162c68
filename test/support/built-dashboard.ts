import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..', '..')

/** Once before all tests, so that they open pages built from the current source. */
export async function setup(): Promise<void> {
  const { ensureDashboard } = (await import(join(ROOT, 'scripts', 'dashboard.mjs'))) as {
    ensureDashboard(root: string, say: (line: string) => void): Promise<void>
  }
  await ensureDashboard(ROOT, () => {})
}
