import type { OutputRef } from '@pothos/core'
import { builder } from './builder.ts'
import { COST } from './complexity.ts'
import { NEEDS } from './needs.ts'

/** A page of anything, as connections show it. */
export interface ConnectionPage {
  nodes: readonly object[]
  /** Cursor of nodes[index]; made only for those that are asked for. */
  cursorAt: (index: number) => string
  hasNextPage: boolean
  hasPreviousPage: boolean
  startCursor: string | null
  endCursor: string | null
  totalCount: () => Promise<number>
}

const PageInfo = builder
  .objectRef<Pick<ConnectionPage, 'hasNextPage' | 'hasPreviousPage' | 'startCursor' | 'endCursor'>>('PageInfo')
  .implement({
    authScopes: NEEDS.read,
    description: 'Where a page of a connection lies.',
    fields: (t) => ({
      hasNextPage: t.exposeBoolean('hasNextPage', {
        description:
          'True when more may follow after endCursor. A page of large items is short when it reaches 4 MiB, and a filter that finds little may return a short page, even an empty one, with hasNextPage true: continue from endCursor.',
      }),
      hasPreviousPage: t.exposeBoolean('hasPreviousPage', {
        description: 'True when more may lie before startCursor.',
      }),
      startCursor: t.exposeString('startCursor', {
        nullable: true,
        description:
          'The cursor to read backward from, as `before`. Null when the page has no place of its own: it is empty.',
      }),
      endCursor: t.exposeString('endCursor', {
        nullable: true,
        description: 'The cursor to go on from, as `after`. Null when the page has no place of its own: it is empty.',
      }),
    }),
  })

/** Declares `<name>Connection` and `<name>Edge` over a node type. */
export function connectionOf(name: string, node: OutputRef<object>) {
  const Edge = builder.objectRef<{ page: ConnectionPage; index: number }>(`${name}Edge`).implement({
    authScopes: NEEDS.read,
    description: `${/^[AEIOU]/.test(name) ? 'An' : 'A'} ${name} and its place in a connection.`,
    fields: (t) => ({
      cursor: t.string({
        description: 'The place, for `after` and `before`.',
        resolve: ({ page, index }) => page.cursorAt(index),
      }),
      node: t.field({
        type: node,
        description: `The ${name}.`,
        resolve: ({ page, index }) => page.nodes[index]!,
      }),
    }),
  })

  return builder.objectRef<ConnectionPage>(`${name}Connection`).implement({
    authScopes: NEEDS.read,
    description: `A page of a list of ${name}.`,
    fields: (t) => ({
      nodes: t.field({
        type: [node],
        description: 'What the page holds, in order.',
        extensions: COST.onPage,
        resolve: (page) => page.nodes,
      }),
      edges: t.field({
        type: [Edge],
        description: 'The same with the cursor of each.',
        extensions: COST.onPage,
        resolve: (page) => page.nodes.map((_, index) => ({ page, index })),
      }),
      pageInfo: t.field({ type: PageInfo, description: 'Where the page lies.', resolve: (page) => page }),
      totalCount: t.int({
        description:
          'How many there are in all that match, on every page. Counted only when asked for; with a filter on a long log that takes time. Errors: TIMEOUT (not done within 30 s).',
        extensions: COST.count,
        resolve: (page) => page.totalCount(),
      }),
    }),
  })
}
