import { parseArgs, type ParseArgsConfig } from 'node:util'

/** An invalid command line. Reported in one line that points to the help. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UsageError'
  }
}

/** One command: its help text and its function. Resolves with the exit code. */
export interface Command {
  /** Words after `tabwire`, such as "keys create". */
  readonly name: string
  readonly summary: string
  readonly help: string
  run(args: readonly string[]): Promise<number>
}

/** node:util's parseArgs with its errors as UsageErrors. `--help` is always accepted. */
export function readOptions<const O extends NonNullable<ParseArgsConfig['options']>>(
  args: readonly string[],
  options: O,
  positionals: readonly string[] = [],
) {
  const parsed = parse(args, options)
  const missing = positionals[parsed.positionals.length]
  if (missing) throw new UsageError(`<${missing}> is missing`)
  const surplus = parsed.positionals[positionals.length]
  if (surplus !== undefined) throw new UsageError(`unexpected argument ${JSON.stringify(surplus)}`)
  return parsed
}

function parse<const O extends NonNullable<ParseArgsConfig['options']>>(args: readonly string[], options: O) {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: true })
  } catch (error) {
    // Its messages explain at length how to pass a positional that begins with a dash; the first sentence is enough.
    if (error instanceof TypeError) throw new UsageError(error.message.split('. ')[0]!)
    throw error
  }
}

/** Words for a help text, separated by commas, in lines of at most this many characters; no word is omitted or cut. */
export function inLines(words: readonly string[], width: number): string {
  const lines = ['']
  for (const word of words.map((one, index) => (index < words.length - 1 ? `${one},` : one))) {
    const last = lines.at(-1)!
    if (last !== '' && last.length + 1 + word.length > width) lines.push(word)
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`
  }
  return lines.join('\n')
}
