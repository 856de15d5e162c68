import { connect } from './commands/connect.ts'
import { createKey, listKeys, revokeKey } from './commands/keys.ts'
import { migrate } from './commands/migrate.ts'
import { print, printNotice } from './commands/stdio.ts'
import { printSchema } from './commands/print-schema.ts'
import { serve } from './commands/serve.ts'
import { rotateKeys } from './commands/signing-keys.ts'
import { UsageError, type Command } from './commands/cli.ts'
import { ConfigInvalid } from './config.ts'
import { TabwireError } from './domain/kernel/errors.ts'
import { StartupFailed } from './startup-failed.ts'

const COMMANDS: readonly Command[] = [serve, migrate, printSchema, createKey, listKeys, revokeKey, rotateKeys, connect]

const HELP = `Usage: tabwire <command> [options]

${COMMANDS.map(({ name, summary }) => `  ${name.padEnd(21)}${summary}`).join('\n')}

tabwire <command> --help describes a command.`

const isHelp = (word: string | undefined) => word === '--help' || word === '-h' || word === 'help'

/** Finds the command that the first words name, and runs it. */
async function run(words: readonly string[]): Promise<number> {
  const [first] = words
  const command =
    first === undefined
      ? serve
      : COMMANDS.find(({ name }) => name.split(' ').every((word, index) => words[index] === word))
  if (command) {
    const args = words.slice(command.name.split(' ').length)
    if (args.includes('--help') || args.includes('-h')) {
      print(command.help)
      return 0
    }
    return command.run(args)
  }
  const group = COMMANDS.filter(({ name }) => name.startsWith(`${first} `))
  if (isHelp(first) || (group.length > 0 && (isHelp(words[1]) || words.length === 1))) {
    print(group.length > 0 ? group.map(({ help }) => help).join('\n\n') : HELP)
    return 0
  }
  throw new UsageError(`there is no command ${JSON.stringify(words.slice(0, group.length > 0 ? 2 : 1).join(' '))}`)
}

/** Problems that users can fix are reported in plain lines; everything else is a fault, and reported in full. */
function explain(error: unknown): string {
  if (error instanceof UsageError) return `tabwire: ${error.message} (see tabwire --help)`
  if (error instanceof ConfigInvalid || error instanceof StartupFailed || error instanceof TabwireError) {
    return error.message
  }
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

// The reader of our output has left (`tabwire keys list | head -1`, a closed terminal): there is no one to report to.
process.stdout.on('error', () => {})
process.stderr.on('error', () => {})

let exitCode: number
try {
  exitCode = await run(process.argv.slice(2))
} catch (error) {
  printNotice(explain(error))
  exitCode = error instanceof UsageError ? 2 : 1
}
// Output to a pipe is asynchronous: it is flushed before the exit. The exit does not wait for anything else.
process.stdout.write('', () => process.exit(exitCode))
