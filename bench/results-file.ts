import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const PATH = fileURLToPath(new URL('./RESULTS.md', import.meta.url))
const FAULTS = '\n## Faults\n'

const read = () => (existsSync(PATH) ? readFileSync(PATH, 'utf8') : '')

/** The text before the section on faults, and the section; null if there is none. */
function parts(text: string): { benchmarks: string; faults: string | null } {
  const at = text.indexOf(FAULTS)
  return at < 0 ? { benchmarks: text, faults: null } : { benchmarks: text.slice(0, at), faults: text.slice(at + 1) }
}

/** Replaces the benchmark results; keeps those of the faults. */
export function writeBenchmarks(text: string): void {
  const { faults } = parts(read())
  writeFileSync(PATH, faults === null ? text : `${text.trimEnd()}\n\n${faults}`)
}

/** Replaces the fault results (`## Faults` and everything after it); keeps those of the benchmarks. */
export function writeFaults(section: string): void {
  const { benchmarks } = parts(read())
  writeFileSync(PATH, `${benchmarks.trimEnd()}\n\n${section}`)
}
