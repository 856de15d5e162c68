import type { OutputRef } from '@pothos/core'
import { builder } from './builder.ts'
import { COST } from './complexity.ts'

/** A page of anything, as the domain has it. */
interface Page {
  nodes: readonly object[]
  /** Cursor of nodes[index]; made only for those that are asked for. */
  cursorAt: (index: number) => string
  hasNextPage: boolean
  hasPreviousPage: boolean
  startCursor: string | null
  endCursor: string | null
  totalCount: () => Promise<number>
}

/** A page as the relay plugin's connection types show it. */
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
 * Declares `<name>Connection` and `<name>Edge` over a node type. The types are the relay plugin's; how a page is read is
 * not: it may be one of a log, which has no random access, and ends early at a bound in bytes. Nor are the arguments,
 * whose bounds, defaults and descriptions are those of each list.
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
            'How many there are in all that match, on every page. Counted only when asked for; with a filter on a long log that takes time. Errors: TIMEOUT (not done within 30 s).',
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
