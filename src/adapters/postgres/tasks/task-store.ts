import { and, asc, eq, gt, or, type InferSelectModel } from 'drizzle-orm'
import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import type { Store } from '../../../ports/store/store.ts'
import type { TaskRecord } from '../../../ports/tasks/task.ts'
import { asStoreError } from '../base/database-errors.ts'
import { tasks } from '../base/tables.ts'

export type TaskStore = Pick<Store, 'insertTask' | 'updateTask' | 'findTask' | 'listTasks'>

type TaskRow = InferSelectModel<typeof tasks>

/** Rows per step; a task's input and result may take a hundred kilobytes. */
const STEP = 20

const recordOfRow = ({ inputTokens, outputTokens, usd, ...row }: TaskRow): TaskRecord => ({
  ...row,
  cost: { inputTokens, outputTokens, usd },
})

/** Rows of tasks in the store. */
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
        .where(and(eq(tasks.id, id), eq(tasks.status, 'RUNNING')))
        .catch(fail)
    },
    findTask: async (id) => {
      const rows = await db.select().from(tasks).where(eq(tasks.id, id)).catch(fail)
      return rows[0] ? recordOfRow(rows[0]) : null
    },
    listTasks: async (sessionId, after) => {
      const { createdAt, id } = tasks
      const isLater =
        after === null
          ? undefined
          : or(gt(createdAt, after.createdAt), and(eq(createdAt, after.createdAt), gt(id, after.id)))
      const rows = await db
        .select()
        .from(tasks)
        .where(and(eq(tasks.sessionId, sessionId), isLater))
        .orderBy(asc(createdAt), asc(id))
        .limit(STEP)
        .catch(fail)
      return rows.map(recordOfRow)
    },
  }
}
