import {
  Kind,
  parse,
  print,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type SelectionSetNode,
} from 'graphql'

/** Carries the types of an operation: documents of gql.tada, of graphql-codegen and `TypedDocumentNode` have it. */
interface TypedOperation<Data, Variables> {
  __apiType?: (variables: Variables) => Data
}

/** A parsed document, of any version of graphql-js. */
interface ParsedDocument {
  readonly kind: string
  readonly definitions: readonly { readonly kind: string }[]
}

/** A document that is a `String` object, as graphql-codegen makes them. */
interface DocumentText {
  readonly length: number
  toString(): string
}

/** A subscription to one log: its text, or a document of any GraphQL library, with its types if it has them. */
export type LogDocument<Data, Variables> = string | ((ParsedDocument | DocumentText) & TypedOperation<Data, Variables>)

/** The properties of a subscription that are needed to follow a log. */
export interface LogOperation {
  readonly query: string
  /** The response key of the subscription's field. */
  readonly field: string
  /** The variable that is passed to the field's argument `after`. */
  readonly cursorVariable: string
}

/** Throws a TypeError if a document is not a subscription that can be resumed at a cursor. */
export function readLogDocument(document: LogDocument<unknown, never>): LogOperation {
  const isParsed = typeof document === 'object' && 'definitions' in document
  const parsed = isParsed ? (document as DocumentNode) : parse(String(document), { noLocation: true })
  const operations = parsed.definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION)
  const [operation] = operations
  if (!operation || operations.length > 1 || operation.operation !== 'subscription') {
    throw new TypeError('The document must have exactly one operation, a subscription.')
  }
  const field = rootField(parsed, operation.selectionSet)
  const after = field?.arguments?.find(({ name }) => name.value === 'after')
  if (!field || after?.value.kind !== Kind.VARIABLE) {
    throw new TypeError(
      'The subscription must take its cursor from a variable, such as consoleMessages(sessionId: $id, after: $after).',
    )
  }
  return {
    query: isParsed ? print(parsed) : String(document),
    field: field.alias?.value ?? field.name.value,
    cursorVariable: after.value.name.value,
  }
}

function rootField(
  document: DocumentNode,
  { selections }: SelectionSetNode,
  within = new Set<string>(),
): FieldNode | null {
  for (const selection of selections) {
    if (selection.kind === Kind.FIELD) {
      if (!selection.name.value.startsWith('__')) return selection
      continue
    }
    const inner = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragment(document, selection.name.value, within)
    const found = inner && rootField(document, inner.selectionSet, within)
    if (found) return found
  }
  return null
}

/** Null if it is missing or was already visited: fragments may form cycles. */
function fragment(document: DocumentNode, name: string, within: Set<string>): FragmentDefinitionNode | null {
  if (within.has(name)) return null
  within.add(name)
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION && definition.name.value === name) return definition
  }
  return null
}
