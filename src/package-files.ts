import { readFileSync } from 'node:fs'

/**
 * Data files of the package, found from the sources in src/ and from the bundle in dist/ alike: this module, or the
 * bundle that contains it, is one level below the root in both cases.
 */
export const MIGRATIONS = new URL('../drizzle/', import.meta.url)
export const EXAMPLES = new URL('../examples/', import.meta.url)
/** The built dashboard. */
export const DASHBOARD = new URL('../dist-dashboard/', import.meta.url)

/** The version of the package. */
export function packageVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
