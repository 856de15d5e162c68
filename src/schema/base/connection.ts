import type { OutputRef } from '@pothos/core'
import { builder } from './builder.ts'
import { COST } from './complexity.ts'

/** A page of any list, as the domain returns it. */
interface Page {
  nodes: readonly object[]
  /** Cursor of nodes[index]; computed only for requested ones. */
  cursorAt: (index: number) => string
  hasNextPage: boolean
  hasPreviousPage: boolean
  startCursor: string | null
  endCursor: string | null
  totalCount: () => Promise<number>
}

/** A page in the shape of the relay plugin's connection types. */
export function connectionPage({ nodes, cursorAt, totalCount, ...pageInfo }: Page) {
  return {
    edges: nodes.map((node, index) => ({
      node,
      get cursor() {
        return cursorAt(index)
      },
    })),
    pageInfo,
    totalCount,
  }
}

/**
 * Declares `<name>Connection` and `<name>Edge` over a node type. The types are those of the relay plugin, but pages
 * are not read by it: a page of a log has no random access, and ends early at a bound in bytes. Arguments are
 * declared by each list, with their bounds, defaults and descriptions.
 */
export function connectionOf(name: string, node: OutputRef<object>) {
  return builder.connectionObject(
    {
      name: `${name}Connection`,
      type: node,
      description: `A page of a list of ${name}.`,
      fields: (t) => ({
        totalCount: t.int({
          description:
            'Total number of matching items on all pages. Counted only if selected; slow with a filter on a long log. Errors: TIMEOUT (not done within 30 s).',
          extensions: COST.count,
          resolve: (page) => page.totalCount(),
        }),
      }),
    },
    {
      name: `${name}Edge`,
      description: `${/^[AEIOU]/.test(name) ? 'An' : 'A'} ${name} and its place in a connection.`,
      nodeField: { description: `The ${name}.` },
    },
  )
}
