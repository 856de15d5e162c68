// node generate.mjs <schema> <operations> <folder>: runs `graphql-codegen` with the equivalent of a configuration
// file.
import { generate } from '@graphql-codegen/cli'

const [schema, documents, folder] = process.argv.slice(2)
await generate({
  schema,
  documents,
  silent: true,
  generates: {
    [`${folder}/generated/`]: {
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: { useTypeImports: true, enumsAsTypes: true, importExtension: '.ts', emitLegacyCommonJSImports: false },
    },
  },
})
