/**
 * Data files of the package, found from the sources in src/ and from the bundle in dist/ alike: this module, or the
 * bundle that contains it, is one level below the root in both cases.
 */
export const MIGRATIONS = new URL('../drizzle/', import.meta.url)
export const EXAMPLES = new URL('../examples/', import.meta.url)
/** The built dashboard. */
export const DASHBOARD = new URL('../dist-dashboard/', import.meta.url)
