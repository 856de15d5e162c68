import { PassThrough } from 'node:stream'
import { CdpConnection } from '../../../src/adapters/playwright/cdp/connection/cdp-connection.ts'
import { createBrowserPipes } from '../../../src/adapters/playwright/cdp/pipe/browser-pipes.ts'
import { FairScheduler } from '../../../src/adapters/playwright/cdp/pipe/fair-scheduler.ts'
import { MESSAGE_LIMITS, type MessageLimits } from '../../../src/adapters/playwright/cdp/pipe/message-limits.ts'
import { logger } from './test-pool.ts'

export interface FakeCdpConnection {
  connection: CdpConnection
  /** Commands sent, as text. */
  sent: string[]
  /** Emits an event of the browser. */
  emit(method: string, params: object, sessionId?: string): void
  /** Responds to the latest command of this method. */
  answer(method: string, result: object): void
  /** Likewise, with an error. */
  refuse(method: string): void
  /** Emits the attachment of a target, on its parent's session. */
  attach(sessionId: string, type: string, parentId?: string): void
}

/** Pipes that are served as soon as they have data, without a time limit. */
export const undelayedPipes = (limits: Partial<MessageLimits> = {}) => ({
  ...createBrowserPipes({ ...MESSAGE_LIMITS, ...limits }),
  scheduler: new FairScheduler(60_000, 60_000),
})

/** A connection without a browser at its other end. */
export function fakeCdpConnection(pipes = undelayedPipes()): FakeCdpConnection {
  const [input, output] = [new PassThrough(), new PassThrough()]
  const connection = new CdpConnection(input, output, '/no/such/folder', pipes, logger)
  const sent: string[] = []
  const lastIds = new Map<string, number>()
  input.on('data', (chunk: Buffer) => {
    sent.push(chunk.toString())
    const { id, method } = JSON.parse(chunk.toString().replace('\0', '')) as { id: number; method: string }
    lastIds.set(method, id)
  })
  const emit = (method: string, params: object, sessionId?: string) => {
    output.emit('data', Buffer.from(`${JSON.stringify({ method, params, sessionId })}\0`))
  }
  const settle = (method: string, outcome: object) => {
    output.emit('data', Buffer.from(`${JSON.stringify({ id: lastIds.get(method), ...outcome })}\0`))
  }
  return {
    connection,
    sent,
    emit,
    answer: (method, result) => settle(method, { result }),
    refuse: (method) => settle(method, { error: { code: -32000, message: 'Not now' } }),
    attach(sessionId, type, parentId) {
      const targetInfo = { targetId: `target of ${sessionId}`, type, title: '', url: 'about:blank' }
      emit('Target.attachedToTarget', { sessionId, targetInfo, waitingForDebugger: false }, parentId)
    },
  }
}
