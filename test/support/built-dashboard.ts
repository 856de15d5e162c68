import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..', '..')

/** Once before all tests: the pages that they open are those of the source that lies here. */
export async function setup(): Promise<void> {
  const { ensureDashboard } = (await import(join(ROOT, 'scripts', 'dashboard.mjs'))) as {
    ensureDashboard(root: string, say: (line: string) => void): Promise<void>
  }
  await ensureDashboard(ROOT, () => {})
}
