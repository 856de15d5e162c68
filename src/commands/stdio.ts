/** Standard output is what a person asked for, or what a script reads. */
export function print(line = ''): void {
  process.stdout.write(`${line}\n`)
}

/** Standard error is what is said beside it: problems, warnings, what happened. */
export function tell(line: string): void {
  process.stderr.write(`${line}\n`)
}
