import { readOptions, type Command } from './cli.ts'

export const printSchema: Command = {
  name: 'print-schema',
  summary: 'print the GraphQL schema',
  help: `Usage: tabwire print-schema

Prints the GraphQL schema, as in schema.graphql.`,

  async run(args) {
    readOptions(args, {})
    const { printedSchema } = await import('../schema/schema.ts')
    process.stdout.write(printedSchema())
    return 0
  },
}
