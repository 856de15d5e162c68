import { asc, eq, type InferSelectModel } from 'drizzle-orm'
import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import type { Store } from '../../ports/store.ts'
import type { TaskRecord } from '../../ports/task.ts'
import { asStoreError } from './database-errors.ts'
import { tasks } from './tables.ts'

export type TaskStore = Pick<Store, 'insertTask' | 'updateTask' | 'findTask' | 'listTasks'>

type TaskRow = InferSelectModel<typeof tasks>

const recordOfRow = ({ inputTokens, outputTokens, usd, ...row }: TaskRow): TaskRecord => ({
  ...row,
  cost: { inputTokens, outputTokens, usd },
})

/** The part of the store that keeps the rows of tasks. */
export function createTaskStore(db: NodePgDatabase): TaskStore {
  const fail = (error: unknown): never => {
    throw asStoreError(error)
  }
  return {
    insertTask: async ({ cost, ...record }) => {
      await db
        .insert(tasks)
        .values({ ...record, ...cost })
        .onConflictDoNothing()
        .catch(fail)
    },
    updateTask: async (id, { cost, ...change }) => {
      await db
        .update(tasks)
        .set({ ...change, ...cost })
        .where(eq(tasks.id, id))
        .catch(fail)
    },
    findTask: async (id) => {
      const rows = await db.select().from(tasks).where(eq(tasks.id, id)).catch(fail)
      return rows[0] ? recordOfRow(rows[0]) : null
    },
    listTasks: async (sessionId) => {
      const rows = await db
        .select()
        .from(tasks)
        .where(eq(tasks.sessionId, sessionId))
        .orderBy(asc(tasks.createdAt), asc(tasks.id))
        .catch(fail)
      return rows.map(recordOfRow)
    },
  }
}
