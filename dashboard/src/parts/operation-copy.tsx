import { stringifyDocument, type TypedDocumentNode } from 'urql'
import { messages } from '../base/messages.ts'
import { CopyButton } from './copy-button.tsx'

/** Copies a panel's GraphQL operation, ready for GraphiQL or a program. */
export function OperationCopy(props: { document: TypedDocumentNode<never, never>; variables: object }) {
  return (
    <CopyButton
      label={messages.copyOperation}
      text={() => {
        const variables = JSON.stringify(props.variables, null, 2).replaceAll('\n', '\n# ')
        return `# ${variables}\n${stringifyDocument(props.document).trim()}\n`
      }}
    >
      {messages.operation}
    </CopyButton>
  )
}
