import { createReadStream } from 'node:fs'

/** The lines of a file. Node's readline also splits at U+2028, which JSON does not escape. */
export async function* linesOf(path: string): AsyncGenerator<string> {
  let last = ''
  for await (const chunk of createReadStream(path, { encoding: 'utf8' })) {
    const lines = (last + (chunk as string)).split('\n')
    last = lines.pop()!
    yield* lines
  }
  if (last !== '') yield last
}
