import { ReleaseBarrier, RUN } from '../../../src/adapters/playwright/cdp/barrier/release-barrier.ts'
import { logger } from './test-pool.ts'

export const HOLD = { autoAttach: true, waitForDebuggerOnStart: true, flatten: true }
/** The sessions of the server have names that begin with s, those of clients with their root's. */
export const ROOT = { server: undefined, a: 'a', b: 'b' }

/** A server that holds new pages, and attached clients. */
export const scene = (...clients: ('a' | 'b')[]) => sceneWith(() => Promise.resolve(), ...clients)

/** `processed`: resolves once a worker has processed the commands of the session. */
export function sceneWith(processed: (sessionId: string) => Promise<void>, ...clients: ('a' | 'b')[]) {
  const sent: string[] = []
  const resumeTarget = (sessionId: string) => void sent.push(`forced ${sessionId}`)
  const barrier = new ReleaseBarrier({ resumeTarget, processed, logger })
  const say = (method: string, sessionId: string | undefined, params: object = {}) =>
    barrier.pass({ method, params, ...(sessionId === undefined ? {} : { sessionId }) }, () => {
      sent.push(`${method === RUN ? 'run' : method} ${sessionId}`)
    })
  const autoAttach = (sessionId: string | undefined, params: object = HOLD) =>
    say('Target.setAutoAttach', sessionId, params)
  autoAttach(undefined)
  const owners = { a: {}, b: {} }
  for (const name of clients) barrier.enter(owners[name], name)
  return {
    barrier,
    leave: (name: 'a' | 'b') => barrier.leave(owners[name], name),
    sent,
    autoAttach,
    ask: say,
    run: (sessionId: string) => say(RUN, sessionId),
    runs: () => sent.filter((line) => /^(run|forced) /.test(line)),
    /** The browser reports a target, `opened` with a window that its opener can reach. */
    attach: (
      sessionId: string,
      parent: string | undefined,
      { target = 'popup', type = 'page', waiting = true, opened = false } = {},
    ) => {
      const targetInfo = { targetId: target, type, title: '', url: '', attached: true, canAccessOpener: opened }
      barrier.attached({ sessionId, targetInfo, waitingForDebugger: waiting }, parent)
    },
  }
}
