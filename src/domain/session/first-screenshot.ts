import type { Logger } from 'pino'
import { screenshot } from '../../contract/actions/screenshot.ts'
import type { SessionActions } from './session-actions.ts'
import { SessionNotRunning } from '../kernel/session-state.ts'

const NEVER = new AbortController().signal
const FIRST_SCREENSHOT = { name: 'screenshot', input: screenshot.input.rule.parse({}) } as const

/** Never rejects: the log has the outcome, and a session works without its first screenshot. */
export async function takeFirstScreenshot(actions: SessionActions, logger: Logger): Promise<void> {
  try {
    await actions.run([FIRST_SCREENSHOT], { origin: 'API', pageId: null, taskId: null, cost: null }, NEVER)
  } catch (error) {
    if (error instanceof SessionNotRunning) return
    logger.error({ err: error }, 'the first screenshot of a session was not taken')
  }
}
