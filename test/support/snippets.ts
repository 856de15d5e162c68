import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..', '..')

/** A fenced block of the documentation. */
export interface Snippet {
  /** Its file, language, and number among the file's blocks of that language: `docs/log.md sh 1`. */
  name: string
  file: string
  language: string
  text: string
}

/** README and everything in docs/, as paths relative to the project. */
export const DOCUMENTS: readonly string[] = ['README.md', ...globSync('docs/*.md', { cwd: ROOT }).sort()]

export const readDocument = (file: string): string => readFileSync(join(ROOT, file), 'utf8')

/** In reading order. */
export function snippetsOf(file: string): Snippet[] {
  const counts = new Map<string, number>()
  return [...readDocument(file).matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map(([, language = '', text = '']) => {
    const count = (counts.get(language) ?? 0) + 1
    counts.set(language, count)
    return { name: `${file} ${language} ${count}`, file, language, text }
  })
}
