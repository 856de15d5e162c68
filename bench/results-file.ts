import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const PATH = fileURLToPath(new URL('./RESULTS.md', import.meta.url))

/** Sections that other programs than `npm run bench` write, in the order in which the file has them. */
const HEADINGS = ['## Several machines', '## Faults', '## Faults of several machines'] as const
type Heading = (typeof HEADINGS)[number]

const read = () => (existsSync(PATH) ? readFileSync(PATH, 'utf8') : '')

/** The text before the first of the sections, and each section with its heading. */
function partsOf(text: string): { benchmarks: string; sections: Partial<Record<Heading, string>> } {
  const parts = text.split(new RegExp(`^(?=(?:${HEADINGS.join('|')})$)`, 'm'))
  const begins = (part: string) => HEADINGS.find((heading) => part.startsWith(`${heading}\n`))
  const [first = '', ...others] = begins(parts[0] ?? '') ? ['', ...parts] : parts
  return { benchmarks: first, sections: Object.fromEntries(others.map((part) => [begins(part)!, part])) }
}

/** The text with one part replaced; the others stay as they are. */
export function withPart(text: string, part: Heading | 'benchmarks', replacement: string): string {
  const { benchmarks, sections } = partsOf(text)
  const all = [
    part === 'benchmarks' ? replacement : benchmarks,
    ...HEADINGS.map((heading) => (heading === part ? replacement : sections[heading])),
  ]
  return `${all
    .map((one) => one?.trim() ?? '')
    .filter((one) => one !== '')
    .join('\n\n')}\n`
}

const write = (part: Heading | 'benchmarks', replacement: string) =>
  writeFileSync(PATH, withPart(read(), part, replacement))

export const writeBenchmarks = (text: string): void => write('benchmarks', text)
/** The section with its heading. */
export const writeMachines = (section: string): void => write('## Several machines', section)
/** The section with its heading. */
export const writeFaults = (section: string): void => write('## Faults', section)
/** The section with its heading. */
export const writeMachineFaults = (section: string): void => write('## Faults of several machines', section)
