import { PassThrough } from 'node:stream'
import { onTestFinished, vi } from 'vitest'
import { CdpConnection } from '../../../src/adapters/playwright/cdp/connection/cdp-connection.ts'
import { ClientUploads } from '../../../src/adapters/playwright/files/client-uploads.ts'
import { DownloadHandover } from '../../../src/adapters/playwright/files/download-handover.ts'
import { ClientRelay } from '../../../src/adapters/playwright/relay/client-relay.ts'
import { DownloadBehaviors } from '../../../src/adapters/playwright/relay/download-behaviors.ts'
import { TargetRegistry } from '../../../src/adapters/playwright/cdp/targets/target-registry.ts'
import { NO_EMULATION } from '../../../src/ports/browser/emulation.ts'
import type { CdpClient, ClientAct } from '../../../src/ports/browser/cdp-client.ts'
import { undelayedPipes } from './fake-cdp-connection.ts'
import { logger } from './test-pool.ts'

/** A command as the browser is given it. */
export interface Sent {
  id: number
  method: string
  params: Record<string, unknown>
  sessionId?: string
}

/** A browser whose reads and messages the test controls; clients attach to it as root 1, root 2 … */
export function scripted(highWaterMark = 64) {
  const [input, output] = [new PassThrough({ highWaterMark }), new PassThrough()]
  const connection = new CdpConnection(
    input,
    output,
    '/no/such/folder',
    undelayedPipes({ parsed: 500_000, relayed: 900_000 }),
    logger,
  )
  onTestFinished(() => void output.destroy())
  const say = (message: object) => output.emit('data', Buffer.from(`${JSON.stringify(message)}\0`))
  const read = (): Sent[] =>
    String(input.read() ?? '')
      .split('\0')
      .filter((text) => text !== '')
      .map((text) => JSON.parse(text) as Sent)
  const browser = {
    connection,
    targets: new TargetRegistry(connection),
    guard: {
      count: 0,
      hasLostSince: () => false,
      refusedSince: () => Promise.reject(new Error('nothing was lost')),
      refusedOpening: () => Promise.resolve(null),
    },
    loads: { begin: () => null },
    rewritten: () => {},
    browserContextId: 'context',
    behaviors: new DownloadBehaviors(connection, '/downloads', 'context'),
    handover: new DownloadHandover(logger),
    uploads: new ClientUploads('/no/such/folder'),
    emulation: NO_EMULATION,
    permitAgain: () => {},
    acted: () => {},
    typing: { inputComes: () => Promise.resolve() },
    logger,
  }
  let roots = 0
  return {
    connection,
    input,
    say,
    read,
    async attach() {
      const got: object[] = []
      const client = {
        send: (pieces) => void got.push(JSON.parse(Buffer.concat(pieces).toString()) as object),
        localUser: () => Promise.resolve(null),
        unsentBytes: 0 as number,
        pause: vi.fn(),
        resume: vi.fn(),
        close: vi.fn(),
      } satisfies CdpClient
      const acts: ClientAct[] = []
      const refuseAddress = (url: string) => (url.startsWith('file:') ? 'it is a file' : null)
      const host = {
        refuseAddress,
        uploadNamed: () => Promise.resolve(null),
        commanded: () => {},
        underWay: () => {},
        acted: (act: ClientAct) => void acts.push(act),
      }
      const attaching = ClientRelay.attach(browser, client, host)
      const root = `root ${(roots += 1)}`
      say({ id: read().at(-1)!.id, result: { sessionId: root } })
      const relay = await attaching
      let nextId = 1
      /** Resolves when the relay has handled the command. */
      const handled = async (method: string, params: object = {}, sessionId?: string) =>
        relay.receive([Buffer.from(JSON.stringify({ id: nextId++, method, params, sessionId }))])
      const ask = (...command: Parameters<typeof handled>) => void handled(...command)
      return { relay, root, client, got, acts, ask, handled }
    },
  }
}

export const attached = (sessionId: string, parent: string, type = 'page') => ({
  method: 'Target.attachedToTarget',
  params: { sessionId, targetInfo: { targetId: `target of ${sessionId}`, type, title: '', url: '' } },
  sessionId: parent,
})
