/** Standard output is for results, which scripts may read. */
export function print(line = ''): void {
  process.stdout.write(`${line}\n`)
}

/** Standard error is for everything else: problems, warnings, progress. */
export function printNotice(line: string): void {
  process.stderr.write(`${line}\n`)
}
